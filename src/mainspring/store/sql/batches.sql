-- Batches, their items, and requests that may be repeated. The first three are lists of a commit,
-- see store/changes.py.

-- name: batch
-- rows: batch_id text, env_id bigint, run_count bigint, received bigint, failed bigint, parent_id text, idempotency_key text, idempotency_shown text, created_at bigint, updated_at bigint, sealed_at bigint
-- takes: shard bigint
INSERT INTO batch (shard_id, batch_id, env_id, run_count, received, failed, parent_id,
  idempotency_key, idempotency_shown, created_at, updated_at, sealed_at)
SELECT :shard, r.batch_id, r.env_id, r.run_count, r.received, r.failed, r.parent_id,
  r.idempotency_key, r.idempotency_shown, r.created_at, r.updated_at, r.sealed_at
FROM {rows} WHERE true
ON CONFLICT (shard_id, batch_id) DO UPDATE SET run_count = excluded.run_count,
  received = excluded.received, failed = excluded.failed, updated_at = excluded.updated_at,
  sealed_at = excluded.sealed_at;

-- name: batch_item
-- rows: batch_id text, number bigint, run_id text, task text, error text, code text
-- takes: shard bigint
INSERT INTO batch_item (shard_id, batch_id, number, run_id, task, error, code)
SELECT :shard, r.batch_id, r.number, r.run_id, r.task, r.error, r.code FROM {rows};

-- name: request
-- rows: slot bigint, env_id bigint, key text, answer text
-- takes: shard bigint
INSERT INTO request (shard_id, slot, env_id, key, answer)
SELECT :shard, r.slot, r.env_id, r.key, r.answer FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: batches_many
-- rows: batch_id text
-- takes: shard bigint
SELECT b.batch_id, b.env_id, b.run_count, b.received, b.failed, b.parent_id, b.idempotency_key,
  b.idempotency_shown, b.created_at, b.updated_at, b.sealed_at
FROM {rows} {probe batch b ON b.shard_id = :shard AND b.batch_id = r.batch_id};

-- name: batches_items
-- rows: batch_id text, number bigint
-- takes: shard bigint
SELECT i.batch_id, i.number, i.run_id, i.task, i.error, i.code
FROM {rows}
{probe batch_item i ON i.shard_id = :shard AND i.batch_id = r.batch_id AND i.number = r.number};

-- name: batches_page
-- takes: shard bigint, batch_id text, after bigint, most bigint
SELECT batch_id, number, run_id, task, error, code FROM batch_item
WHERE shard_id = :shard AND batch_id = :batch_id AND number > :after
ORDER BY number LIMIT :most;

-- name: batches_ends
-- takes: shard bigint, batch_id text, since bigint, most bigint
-- An item that is no run counts as ended.
SELECT x.number,
  CASE WHEN x.run_id IS NULL OR d.run_id IS NOT NULL THEN 1 ELSE 0 END AS ended
FROM (
  SELECT i.shard_id, i.number, i.run_id FROM batch_item i
  WHERE i.shard_id = :shard AND i.batch_id = :batch_id AND i.number >= :since
  ORDER BY i.number LIMIT :most
) x
{maybe run_done d ON d.shard_id = :shard AND d.run_id = x.run_id}
ORDER BY x.number;

-- name: requests_many
-- rows: slot bigint, env_id bigint, key text
-- takes: shard bigint
SELECT q.env_id, q.key, q.answer FROM {rows}
{probe request q ON q.shard_id = :shard AND q.slot = r.slot AND q.env_id = r.env_id AND q.key = r.key};

-- name: requests_lapsed
-- takes: shard bigint, slot bigint, most bigint
SELECT slot, env_id, key FROM request WHERE shard_id = :shard AND slot < :slot
ORDER BY slot, env_id, key LIMIT :most;

-- name: requests_drop
-- rows: slot bigint, env_id bigint, key text
-- takes: shard bigint
DELETE FROM request WHERE {among request: slot, env_id, key};
