-- name: claim
-- rows: run_id text, session_id text, version text
-- takes: shard bigint, change bigint, now bigint
-- Why not the shared text: one round trip, as on PostgreSQL, whose text deletes by the place of a
-- row, which says nothing about the node. Here the rows are read first; nobody else deletes them
-- while the shard is held.
WITH moved AS MATERIALIZED (
  SELECT q.run_id, q.env_id, q.queue, q.ckey, r.version, q.ord, r.session_id, q.epoch, q.attempt,
    q.started_at, q.active_ms
  FROM {rows} {probe ready q ON q.shard_id = :shard AND q.run_id = r.run_id}
), left_ready AS (
  DELETE FROM ready WHERE {among ready: run_id}
), placed AS (
  INSERT INTO active (shard_id, run_id, env_id, queue, ckey, version, ord, session_id, epoch,
    attempt, started_at, claimed_at, active_ms, change)
  SELECT :shard, m.run_id, m.env_id, m.queue, m.ckey, m.version, m.ord, m.session_id,
    m.epoch + 1, m.attempt, CASE m.started_at WHEN 0 THEN :now ELSE m.started_at END, :now,
    m.active_ms, :change
  FROM moved m
  RETURNING run_id, epoch, attempt, started_at, active_ms
)
SELECT a.run_id, a.epoch, a.attempt, a.started_at, a.active_ms, n.task, n.payload, n.payload_ref,
  n.options, n.parent_id, n.root_id, n.depth, n.is_test, n.created_at
FROM placed a {probe run n ON n.shard_id = :shard AND n.run_id = a.run_id};
