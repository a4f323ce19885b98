-- The archive's list, and what belongs to runs that are archived. The latter is read for many runs
-- at once, and page by page of one that has much (`_of`), by the primary key.

-- name: archive_add
-- takes: shard bigint, archive_id text, kind text, place text, first_id text, last_id text, now bigint
INSERT INTO archive (
  shard_id, archive_id, kind, state, place, first_id, last_id, files, created_at
) VALUES (:shard, :archive_id, :kind, 'writing', :place, :first_id, :last_id, '[]', :now);

-- name: archive_written
-- takes: shard bigint, archive_id text, files text
UPDATE archive SET state = 'written', files = :files
WHERE shard_id = :shard AND archive_id = :archive_id AND state = 'writing';

-- name: archive_dropped
-- takes: shard bigint, archive_id text
UPDATE archive SET state = 'dropped'
WHERE shard_id = :shard AND archive_id = :archive_id AND state = 'written';

-- name: archive_forget
-- takes: shard bigint, archive_id text
DELETE FROM archive WHERE shard_id = :shard AND archive_id = :archive_id AND state = 'writing';

-- name: archive_open
-- takes: shard bigint
SELECT shard_id, archive_id, kind, state, place, first_id, last_id, files, created_at
FROM archive WHERE shard_id = :shard AND state <> 'dropped' ORDER BY archive_id;

-- name: archive_holding
-- takes: shard bigint, id text
-- Most archives follow one another; those of runs with late children overlap a few others.
SELECT shard_id, archive_id, kind, state, place, first_id, last_id, files, created_at
FROM archive
WHERE shard_id = :shard AND last_id >= :id AND first_id <= :id AND state <> 'writing'
ORDER BY last_id LIMIT 1;

-- name: archive_page
-- takes: shard bigint, after text, most bigint
SELECT shard_id, archive_id, kind, state, place, first_id, last_id, files, created_at
FROM archive WHERE shard_id = :shard AND archive_id > :after ORDER BY archive_id LIMIT :most;

-- name: old_runs
-- rows: run_id text
-- takes: shard bigint
SELECT n.run_id, n.env_id, n.task, n.parent_id, n.options, n.created_at, d.finished_at
FROM {rows}
{probe run n ON n.shard_id = :shard AND n.run_id = r.run_id}
{maybe run_done d ON d.shard_id = :shard AND d.run_id = n.run_id};

-- name: old_step
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT j.run_id, j.seq, j.key, j.generation, j.kind, j.status, j.epoch, j.started_at, j.ended_at,
  j.fingerprint, j.data, j.data_ref
FROM {rows} {probe journal j ON j.shard_id = :shard AND j.run_id = r.run_id} LIMIT :most;

-- name: old_step_of
-- takes: shard bigint, run_id text, after text, number bigint, most bigint
SELECT run_id, seq, key, generation, kind, status, epoch, started_at, ended_at, fingerprint, data,
  data_ref
FROM journal
WHERE shard_id = :shard AND run_id = :run_id AND (key, generation) > (:after, :number)
ORDER BY key, generation LIMIT :most;

-- name: old_log
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT l.run_id, l.seq, l.at, l.level, l.message, l.data
FROM {rows} {probe log l ON l.shard_id = :shard AND l.run_id = r.run_id} LIMIT :most;

-- name: old_log_of
-- takes: shard bigint, run_id text, number bigint, most bigint
SELECT run_id, seq, at, level, message, data FROM log
WHERE shard_id = :shard AND run_id = :run_id AND seq > :number ORDER BY seq LIMIT :most;

-- name: old_span
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT s.run_id, s.span_id, s.parent_id, s.name, s.kind, s.service, s.started_at, s.ended_at,
  s.error, s.model, s.input_tokens, s.output_tokens, s.cost, s.attributes
FROM {rows} {probe span s ON s.shard_id = :shard AND s.run_id = r.run_id} LIMIT :most;

-- name: old_span_of
-- takes: shard bigint, run_id text, after text, most bigint
SELECT run_id, span_id, parent_id, name, kind, service, started_at, ended_at, error, model,
  input_tokens, output_tokens, cost, attributes
FROM span WHERE shard_id = :shard AND run_id = :run_id AND span_id > :after
ORDER BY span_id LIMIT :most;

-- name: old_stream
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT c.run_id, c.stream, c.number, c.created_at, c.data
FROM {rows} {probe stream_chunk c ON c.shard_id = :shard AND c.run_id = r.run_id} LIMIT :most;

-- name: old_stream_of
-- takes: shard bigint, run_id text, after text, number bigint, most bigint
SELECT run_id, stream, number, created_at, data FROM stream_chunk
WHERE shard_id = :shard AND run_id = :run_id AND (stream, number) > (:after, :number)
ORDER BY stream, number LIMIT :most;

-- name: old_input
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT i.run_id, i.stream, i.number, i.created_at, i.data, i.data_ref
FROM {rows} {probe input i ON i.shard_id = :shard AND i.run_id = r.run_id} LIMIT :most;

-- name: old_input_of
-- takes: shard bigint, run_id text, after text, number bigint, most bigint
SELECT run_id, stream, number, created_at, data, data_ref FROM input
WHERE shard_id = :shard AND run_id = :run_id AND (stream, number) > (:after, :number)
ORDER BY stream, number LIMIT :most;
