-- What people look at across runs. Each of these stops after so many rows, however many there are.

-- name: observed_parked
-- takes: shard bigint, env_id bigint, most bigint
SELECT x.kind, count(*) AS found FROM (
  SELECT p.env_id, p.kind FROM parked p
  WHERE p.shard_id = :shard AND p.run_id > '' ORDER BY p.run_id LIMIT :most
) x
WHERE x.env_id = :env_id GROUP BY x.kind;

-- name: observed_ends
-- rows: status text
-- takes: shard bigint, env_id bigint, low text, most bigint
-- From the index of what did not complete alone; its order is said so that no other one serves.
SELECT r.status, (
  SELECT count(*) FROM (
    SELECT d.run_id FROM run_done d
    WHERE d.shard_id = :shard AND d.status <> 'completed'
      AND (d.env_id, d.status, d.run_id) > (:env_id, r.status, :low)
      AND (d.env_id, d.status, d.run_id) < (:env_id, r.status, '~')
    ORDER BY d.env_id DESC, d.status DESC, d.run_id DESC LIMIT :most
  ) x
) AS found
FROM {rows};

-- name: observed_completed
-- takes: shard bigint, env_id bigint, low text, most bigint
-- Most runs complete, so that they are counted among all that ended.
SELECT count(*) AS found FROM (
  SELECT d.env_id, d.status FROM run_done d
  WHERE d.shard_id = :shard AND d.run_id > :low ORDER BY d.run_id DESC LIMIT :most
) x
WHERE x.env_id = :env_id AND x.status = 'completed';

-- name: observed_batches_older
-- takes: shard bigint, env_id bigint, low text, high text, most bigint
SELECT batch_id, env_id, run_count, received, failed, parent_id, idempotency_key,
  idempotency_shown, created_at, updated_at, sealed_at
FROM batch
WHERE shard_id = :shard AND batch_id > :low AND batch_id < :high AND env_id = :env_id
ORDER BY batch_id DESC LIMIT :most;

-- name: observed_batches_newer
-- takes: shard bigint, env_id bigint, low text, high text, most bigint
SELECT batch_id, env_id, run_count, received, failed, parent_id, idempotency_key,
  idempotency_shown, created_at, updated_at, sealed_at
FROM batch
WHERE shard_id = :shard AND batch_id > :low AND batch_id < :high AND env_id = :env_id
ORDER BY batch_id LIMIT :most;

-- name: observed_lines
-- takes: shard bigint, at bigint, run_id text, seq bigint, since bigint, most bigint
-- With the run of each, which may be deleted by now; the reader puts them into order.
SELECT x.at, x.run_id, x.seq, x.level, x.message, x.data, n.env_id, n.task
FROM (
  SELECT l.at, l.run_id, l.seq, l.level, l.message, l.data FROM log l
  WHERE l.shard_id = :shard AND (l.at, l.run_id, l.seq) > (:since, '', 0)
    AND (l.at, l.run_id, l.seq) < (:at, :run_id, :seq)
  ORDER BY l.at DESC, l.run_id DESC, l.seq DESC LIMIT :most
) x
{maybe run n ON n.shard_id = :shard AND n.run_id = x.run_id};
