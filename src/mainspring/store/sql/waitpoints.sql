-- What others send to a run: tokens that they complete, inputs that they append, metadata and tags.
-- The first six are lists of a commit, see store/changes.py.

-- name: options
-- rows: run_id text, options text
-- takes: shard bigint, change bigint
-- Only of runs that nobody has claimed yet. Not UPDATE ... FROM, as in `payload`.
INSERT INTO run (shard_id, run_id, env_id, task, queue, ckey, version, payload, payload_ref,
  options, parent_id, root_id, depth, batch_id, is_test, created_at, change)
SELECT n.shard_id, n.run_id, n.env_id, n.task, n.queue, n.ckey, n.version, n.payload,
  n.payload_ref, r.options, n.parent_id, n.root_id, n.depth, n.batch_id, n.is_test, n.created_at,
  :change
FROM {rows} {probe run n ON n.shard_id = :shard AND n.run_id = r.run_id} WHERE true
ON CONFLICT (shard_id, run_id) DO UPDATE SET options = excluded.options,
  change = excluded.change;

-- name: document
-- rows: run_id text, metadata text, updated_at bigint, epoch bigint, frame bigint
-- takes: shard bigint, change bigint
INSERT INTO metadata (shard_id, run_id, metadata, updated_at, epoch, frame, change)
SELECT :shard, r.run_id, r.metadata, r.updated_at, r.epoch, r.frame, :change FROM {rows} WHERE true
ON CONFLICT (shard_id, run_id) DO UPDATE SET metadata = excluded.metadata,
  updated_at = excluded.updated_at, epoch = excluded.epoch, frame = excluded.frame,
  change = excluded.change;

-- name: waitpoint
-- rows: waitpoint_id text, env_id bigint, idempotency_key text, idempotency_expires_at bigint, tags text, created_at bigint, timeout_at bigint
-- takes: shard bigint
INSERT INTO waitpoint (shard_id, waitpoint_id, env_id, status, idempotency_key,
  idempotency_expires_at, tags, created_at, timeout_at)
SELECT :shard, r.waitpoint_id, r.env_id, 'waiting', r.idempotency_key, r.idempotency_expires_at,
  r.tags, r.created_at, r.timeout_at
FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: end_waitpoint
-- rows: waitpoint_id text, status text, output text, output_ref text, completed_at bigint
-- takes: shard bigint
-- Only while it waits: the first end stays. Not UPDATE ... FROM, as in `payload`.
INSERT INTO waitpoint (shard_id, waitpoint_id, env_id, status, idempotency_key,
  idempotency_expires_at, tags, output, output_ref, created_at, timeout_at, completed_at)
SELECT w.shard_id, w.waitpoint_id, w.env_id, r.status, w.idempotency_key, w.idempotency_expires_at,
  w.tags, r.output, r.output_ref, w.created_at, w.timeout_at, r.completed_at
FROM {rows}
{probe waitpoint w ON w.shard_id = :shard AND w.waitpoint_id = r.waitpoint_id AND w.status = 'waiting'}
WHERE true
ON CONFLICT (shard_id, waitpoint_id) DO UPDATE SET status = excluded.status,
  output = excluded.output, output_ref = excluded.output_ref, completed_at = excluded.completed_at;

-- name: input
-- rows: run_id text, stream text, number bigint, data text, data_ref text, created_at bigint
-- takes: shard bigint
INSERT INTO input (shard_id, run_id, stream, number, data, data_ref, created_at)
SELECT :shard, r.run_id, r.stream, r.number, r.data, r.data_ref, r.created_at
FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: copy_journal
-- rows: run_id text, generation bigint, source_id text, source_generation bigint, below bigint
-- takes: shard bigint
-- What a run has behind it, up to an entry, for another run or generation. What is there already
-- (edited results) stays; failed steps and notes (their keys begin with !) are not taken along, but
-- for what chance began from, where inputs stand, and accepted differences.
INSERT INTO journal (shard_id, run_id, key, generation, seq, kind, epoch, status, data, data_ref,
  fingerprint, started_at, ended_at)
SELECT j.shard_id, r.run_id, j.key, r.generation, j.seq, j.kind, 0, j.status, j.data, j.data_ref,
  j.fingerprint, j.started_at, j.ended_at
FROM {rows}
{probe journal j ON j.shard_id = :shard AND j.run_id = r.source_id AND j.generation = r.source_generation}
WHERE j.seq < r.below AND j.kind <> 'attempt' AND j.status <> 'failed'
  AND (j.key < '!' OR j.key >= '"' OR j.key = '!seed' OR j.key = '!inputs'
    OR (j.key >= '!accept:' AND j.key < '!accept;'))
ON CONFLICT DO NOTHING;

-- name: copy_input
-- rows: run_id text, source_id text
-- takes: shard bigint
-- Everything that was sent to a run, for another one that goes on from it.
INSERT INTO input (shard_id, run_id, stream, number, data, data_ref, created_at)
SELECT i.shard_id, r.run_id, i.stream, i.number, i.data, i.data_ref, i.created_at
FROM {rows} {probe input i ON i.shard_id = :shard AND i.run_id = r.source_id}
WHERE true ON CONFLICT DO NOTHING;

-- name: waitpoints_many
-- rows: waitpoint_id text
-- takes: shard bigint
SELECT w.waitpoint_id, w.env_id, w.status, w.idempotency_key, w.idempotency_expires_at, w.tags,
  w.output, w.output_ref, w.created_at, w.timeout_at, w.completed_at
FROM {rows} {probe waitpoint w ON w.shard_id = :shard AND w.waitpoint_id = r.waitpoint_id};

-- name: inputs_many
-- rows: run_id text, stream text, number bigint
-- takes: shard bigint
SELECT i.run_id, i.stream, i.number, i.data, i.data_ref
FROM {rows}
{probe input i ON i.shard_id = :shard AND i.run_id = r.run_id AND i.stream = r.stream AND i.number = r.number};

-- name: inputs_last
-- rows: run_id text, stream text
-- takes: shard bigint
SELECT r.run_id, r.stream, coalesce((
  SELECT max(i.number) FROM input i
  WHERE i.shard_id = :shard AND i.run_id = r.run_id AND i.stream = r.stream), 0) AS number
FROM {rows};

-- name: runs_documents
-- rows: run_id text
-- takes: shard bigint
SELECT n.run_id, n.env_id, n.parent_id, n.root_id, m.metadata, coalesce(m.epoch, 0) AS epoch,
  coalesce(m.frame, 0) AS frame,
  CAST((
    SELECT {json_group}(t.tag) FROM run_tag t
    WHERE t.shard_id = :shard AND t.run_id = n.run_id
  ) AS text) AS tags
FROM {rows}
{probe run n ON n.shard_id = :shard AND n.run_id = r.run_id}
{maybe metadata m ON m.shard_id = :shard AND m.run_id = n.run_id};
