-- Deleting what is over. Runs are looked at in the order of their ids, hence of their age; what
-- belongs to one is looked up by it, and dropped by its keys, so many rows at a time.

-- name: past_page
-- takes: shard bigint, after text, most bigint
SELECT x.run_id, x.env_id, x.task, x.parent_id, x.options, x.created_at, d.finished_at
FROM (
  SELECT n.run_id, n.env_id, n.task, n.parent_id, n.options, n.created_at FROM run n
  WHERE n.shard_id = :shard AND n.run_id > :after ORDER BY n.run_id LIMIT :most
) x
{maybe run_done d ON d.shard_id = :shard AND d.run_id = x.run_id}
ORDER BY x.run_id;

-- name: past_tables
-- takes: shard bigint, first text, last text
-- Which tables have anything of runs between these two; most of them have nothing of most runs. The
-- first row from there on, by its order, so that no plan walks another index.
SELECT 'log' AS name WHERE (
  SELECT run_id FROM log WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'span' AS name WHERE (
  SELECT run_id FROM span WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'caller' AS name WHERE (
  SELECT run_id FROM caller WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'journal' AS name WHERE (
  SELECT run_id FROM journal WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'stream_chunk' AS name WHERE (
  SELECT run_id FROM stream_chunk WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'stream' AS name WHERE (
  SELECT run_id FROM stream WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'input' AS name WHERE (
  SELECT run_id FROM input WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'run_tag' AS name WHERE (
  SELECT run_id FROM run_tag WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'run_mark' AS name WHERE (
  SELECT run_id FROM run_mark WHERE shard_id = :shard AND run_id >= :first ORDER BY run_id LIMIT 1
) <= :last
UNION ALL SELECT 'run' AS name WHERE (
  SELECT parent_id FROM run WHERE shard_id = :shard AND parent_id IS NOT NULL
    AND parent_id >= :first ORDER BY parent_id LIMIT 1
) <= :last;

-- name: past_children
-- rows: run_id text
-- takes: shard bigint
SELECT n.run_id, n.env_id, n.task, n.parent_id, n.options, n.created_at, d.finished_at
FROM {rows}
{probe run n ON n.shard_id = :shard AND n.parent_id = r.run_id}
{maybe run_done d ON d.shard_id = :shard AND d.run_id = n.run_id};

-- name: past_batches
-- takes: shard bigint, after text, most bigint
-- With a run of the batch, if there is one still.
SELECT b.batch_id, b.created_at, (
    SELECT n.run_id FROM run n
    WHERE n.shard_id = :shard AND n.batch_id IS NOT NULL AND n.batch_id = b.batch_id
    ORDER BY n.batch_id, n.run_id LIMIT 1
  ) AS run_id
FROM batch b WHERE b.shard_id = :shard AND b.batch_id > :after ORDER BY b.batch_id LIMIT :most;

-- name: past_tokens
-- takes: shard bigint, after text, most bigint
-- With a run that waits for the token, if there is one.
SELECT w.waitpoint_id, w.env_id, w.idempotency_key, w.idempotency_expires_at, w.created_at,
  CASE WHEN w.status <> 'waiting' THEN w.completed_at END AS ended_at, (
    SELECT e.run_id FROM wait_edge e
    WHERE e.shard_id = :shard AND e.waitpoint_id <> '' AND e.waitpoint_id = w.waitpoint_id
    ORDER BY e.waitpoint_id, e.run_id LIMIT 1
  ) AS waiter
FROM waitpoint w WHERE w.shard_id = :shard AND w.waitpoint_id > :after
ORDER BY w.waitpoint_id LIMIT :most;

-- name: drop_token
-- rows: waitpoint_id text
-- takes: shard bigint
DELETE FROM waitpoint WHERE {among waitpoint: waitpoint_id};

-- name: past_log
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT l.run_id, l.seq FROM {rows}
{probe log l ON l.shard_id = :shard AND l.run_id = r.run_id} LIMIT :most;

-- name: past_lines
-- takes: shard bigint, before bigint, most bigint
SELECT run_id, seq FROM log WHERE shard_id = :shard
  AND (at, run_id, seq) > (0, '', 0) AND (at, run_id, seq) < (:before, '', 0)
ORDER BY at, run_id, seq LIMIT :most;

-- name: past_spans
-- takes: shard bigint, before bigint, most bigint
SELECT run_id, span_id FROM span WHERE shard_id = :shard
  AND (ended_at, run_id, span_id) > (0, '', '') AND (ended_at, run_id, span_id) < (:before, '', '')
ORDER BY ended_at, run_id, span_id LIMIT :most;

-- name: drop_log
-- rows: run_id text, seq bigint
-- takes: shard bigint
DELETE FROM log WHERE {among log: run_id, seq};

-- name: past_journal
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT j.run_id, j.key, j.generation FROM {rows}
{probe journal j ON j.shard_id = :shard AND j.run_id = r.run_id} LIMIT :most;

-- name: drop_journal
-- rows: run_id text, key text, generation bigint
-- takes: shard bigint
DELETE FROM journal WHERE {among journal: run_id, key, generation};

-- name: past_stream_chunk
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT c.run_id, c.stream, c.number FROM {rows}
{probe stream_chunk c ON c.shard_id = :shard AND c.run_id = r.run_id} LIMIT :most;

-- name: drop_stream_chunk
-- rows: run_id text, stream text, number bigint
-- takes: shard bigint
DELETE FROM stream_chunk WHERE {among stream_chunk: run_id, stream, number};

-- name: past_stream
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT s.run_id, s.stream FROM {rows}
{probe stream s ON s.shard_id = :shard AND s.run_id = r.run_id} LIMIT :most;

-- name: drop_stream
-- rows: run_id text, stream text
-- takes: shard bigint
DELETE FROM stream WHERE {among stream: run_id, stream};

-- name: past_input
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT i.run_id, i.stream, i.number FROM {rows}
{probe input i ON i.shard_id = :shard AND i.run_id = r.run_id} LIMIT :most;

-- name: drop_input
-- rows: run_id text, stream text, number bigint
-- takes: shard bigint
DELETE FROM input WHERE {among input: run_id, stream, number};

-- name: past_run_tag
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT n.env_id, t.tag, t.run_id FROM {rows}
{probe run n ON n.shard_id = :shard AND n.run_id = r.run_id}
{probe run_tag t ON t.shard_id = :shard AND t.run_id = r.run_id} LIMIT :most;

-- name: drop_run_tag
-- rows: env_id bigint, tag text, run_id text
-- takes: shard bigint
DELETE FROM run_tag WHERE {among run_tag: env_id, tag, run_id};

-- name: past_run_mark
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT m.env_id, m.kind, m.value, m.run_id FROM {rows}
{probe run_mark m ON m.shard_id = :shard AND m.run_id = r.run_id} LIMIT :most;

-- name: drop_run_mark
-- rows: env_id bigint, kind text, value text, run_id text
-- takes: shard bigint
DELETE FROM run_mark WHERE {among run_mark: env_id, kind, value, run_id};

-- name: past_batch_item
-- rows: batch_id text
-- takes: shard bigint, most bigint
SELECT i.batch_id, i.number FROM {rows}
{probe batch_item i ON i.shard_id = :shard AND i.batch_id = r.batch_id} LIMIT :most;

-- name: drop_batch_item
-- rows: batch_id text, number bigint
-- takes: shard bigint
DELETE FROM batch_item WHERE {among batch_item: batch_id, number};

-- name: drop_batch
-- rows: batch_id text
-- takes: shard bigint
DELETE FROM batch WHERE {among batch: batch_id};

-- name: drop_metadata
-- rows: run_id text
-- takes: shard bigint
DELETE FROM metadata WHERE {among metadata: run_id};

-- name: drop_done
-- rows: run_id text
-- takes: shard bigint
DELETE FROM run_done WHERE {among run_done: run_id};

-- name: drop_run
-- rows: run_id text
-- takes: shard bigint
DELETE FROM run WHERE {among run: run_id};
