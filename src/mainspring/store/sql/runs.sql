-- The read side for people and programs, and the lines that runs write.

-- name: runs_many
-- rows: run_id text
-- takes: shard bigint, whole bigint
-- A live run's state is the table that holds it; one statement, so that a run which moves
-- meanwhile is seen once. `whole` = 0 leaves large texts where they are.
SELECT n.run_id, n.env_id, n.task, n.queue, n.ckey, n.version, n.created_at,
  CASE :whole WHEN 1 THEN n.payload END AS payload, n.payload_ref, n.options, n.parent_id,
  n.root_id, n.depth, n.batch_id, n.is_test,
  coalesce(d.status, CASE
    WHEN a.run_id IS NOT NULL THEN 'executing'
    WHEN q.run_id IS NOT NULL THEN 'queued'
    WHEN p.kind = 'delay' THEN 'delayed'
    WHEN p.kind = 'retry' THEN 'executing'
    WHEN p.kind = 'wait' THEN 'waiting'
    ELSE 'pending_version' END) AS status,
  coalesce(d.attempt, a.attempt, q.attempt, p.attempt, 0) AS attempt,
  coalesce(d.started_at, a.started_at, q.started_at, p.started_at, 0) AS started_at,
  coalesce(d.active_ms, a.active_ms, q.active_ms, p.active_ms, 0) AS active_ms,
  a.claimed_at, a.cancel_at, p.kind, p.due_at, d.finished_at,
  CASE :whole WHEN 1 THEN d.output END AS output, d.output_ref, d.error,
  CASE :whole WHEN 1 THEN m.metadata END AS metadata, m.updated_at,
  {greatest}(n.change, coalesce(d.change, 0), coalesce(a.change, 0), coalesce(q.change, 0),
    coalesce(p.change, 0), coalesce(m.change, 0), coalesce((
      SELECT max(t.change) FROM run_tag t
      WHERE t.shard_id = :shard AND t.run_id = n.run_id), 0), coalesce((
      SELECT max(s.change) FROM stream s
      WHERE s.shard_id = :shard AND s.run_id = n.run_id), 0)) AS change,
  CAST((
    SELECT {json_group}(x.tag) FROM (
      SELECT t.tag FROM run_tag t WHERE t.shard_id = :shard AND t.run_id = n.run_id
      ORDER BY t.tag
    ) x
  ) AS text) AS tags,
  CAST((
    SELECT {json_group}(x.stream) FROM (
      SELECT s.stream FROM stream s WHERE s.shard_id = :shard AND s.run_id = n.run_id
      ORDER BY s.stream
    ) x
  ) AS text) AS streams
FROM {rows}
{probe run n ON n.shard_id = :shard AND n.run_id = r.run_id}
{maybe run_done d ON d.shard_id = :shard AND d.run_id = n.run_id}
{maybe active a ON a.shard_id = :shard AND a.run_id = n.run_id}
{maybe ready q ON q.shard_id = :shard AND q.run_id = n.run_id}
{maybe parked p ON p.shard_id = :shard AND p.run_id = n.run_id}
{maybe metadata m ON m.shard_id = :shard AND m.run_id = n.run_id};

-- name: runs_tagged
-- rows: tag text
-- takes: shard bigint, env_id bigint, tag text, among bigint, tags bigint, most bigint
-- The newest runs of `tag` that have all tags of the batch as well, which are looked for among the
-- newest `among` runs only: a walk over two frequent tags that never meet has an end.
SELECT y.run_id FROM (
  SELECT x.run_id FROM run_tag x
  WHERE x.shard_id = :shard AND (x.env_id, x.tag, x.run_id) > (:env_id, :tag, '')
    AND (x.env_id, x.tag, x.run_id) < (:env_id, :tag, '~')
  ORDER BY x.env_id DESC, x.tag DESC, x.run_id DESC LIMIT :among
) y
WHERE (
  SELECT count(*) FROM {rows} {probe run_tag o ON o.shard_id = :shard AND o.env_id = :env_id AND o.tag = r.tag AND o.run_id = y.run_id}
) = :tags
ORDER BY y.run_id DESC LIMIT :most;

-- name: runs_of_batch
-- takes: shard bigint, env_id bigint, batch_id text, most bigint
SELECT run_id FROM run
WHERE shard_id = :shard AND batch_id IS NOT NULL AND env_id = :env_id
  AND (batch_id, run_id) > (:batch_id, '') AND (batch_id, run_id) < (:batch_id, '~')
ORDER BY batch_id DESC, run_id DESC LIMIT :most;

-- name: runs_newest
-- takes: shard bigint, env_id bigint, most bigint
SELECT run_id FROM run
WHERE shard_id = :shard AND run_id > '' AND run_id < '~' AND env_id = :env_id
ORDER BY run_id DESC LIMIT :most;

-- name: runs_children
-- takes: shard bigint, parent_id text, after text, most bigint
-- Ordered by what only the index of children gives, so that no planner walks all runs instead.
SELECT run_id FROM run
WHERE shard_id = :shard AND parent_id IS NOT NULL
  AND (parent_id, run_id) > (:parent_id, :after) AND (parent_id, run_id) < (:parent_id, '~')
ORDER BY parent_id, run_id LIMIT :most;

-- name: log_append
-- rows: n bigint, run_id text, at bigint, level text, message text, data text
-- takes: shard bigint
-- `n` counts the run's own lines in this batch from 1; they follow those that are there.
INSERT INTO log (shard_id, run_id, seq, at, level, message, data)
SELECT :shard, r.run_id,
  r.n + coalesce((
    SELECT max(l.seq) FROM log l WHERE l.shard_id = :shard AND l.run_id = r.run_id), 0),
  r.at, r.level, r.message, r.data
FROM {rows};

-- name: log_page
-- takes: shard bigint, run_id text, after bigint, most bigint
SELECT seq, at, level, message, data FROM log
WHERE shard_id = :shard AND run_id = :run_id AND seq > :after ORDER BY seq LIMIT :most;

-- name: inbox_add
-- takes: shard bigint, inbox_id text, env_id bigint, run_id text, task text, payload text, options text, created_at bigint
INSERT INTO inbox (shard_id, inbox_id, env_id, run_id, task, payload, options, created_at)
VALUES (:shard, :inbox_id, :env_id, :run_id, :task, :payload, :options, :created_at)
ON CONFLICT DO NOTHING;
