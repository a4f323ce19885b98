-- What runs have behind them and what they wait for.

-- name: waits_of_runs
-- rows: run_id text
-- takes: shard bigint
SELECT e.run_id, e.key, e.waitpoint_id, e.kind, e.generation, e.seq, e.due_at, e.data,
  e.fingerprint, e.created_at
FROM {rows} {probe wait_edge e ON e.shard_id = :shard AND e.run_id = r.run_id};

-- name: waits_on
-- rows: waitpoint_id text
-- takes: shard bigint
-- `total` tells when the last row of a wait goes, without reading the others. In two steps, because
-- SQLite without statistics takes the index only when it need not look further.
SELECT e.run_id, e.key, e.waitpoint_id, e.kind, e.generation, e.seq, e.due_at, e.data,
  e.fingerprint, e.created_at,
  (SELECT count(*) FROM wait_edge w
   WHERE w.shard_id = :shard AND w.run_id = e.run_id AND w.key = e.key) AS total
FROM {rows}
{probe wait_edge p ON p.shard_id = :shard AND p.waitpoint_id = r.waitpoint_id AND p.waitpoint_id <> ''}
{probe wait_edge e ON e.shard_id = :shard AND e.run_id = p.run_id AND e.key = p.key AND e.waitpoint_id = p.waitpoint_id};

-- name: waits_foreign
-- takes: shard bigint
-- At takeover only.
SELECT waitpoint_id FROM wait_edge
WHERE shard_id = :shard AND kind = 'run' AND data IS NOT NULL ORDER BY waitpoint_id;

-- name: journal_entries
-- rows: run_id text, key text, generation bigint
-- takes: shard bigint
SELECT j.run_id, j.key, j.generation, j.kind, j.epoch, j.status, j.data, j.started_at, j.ended_at,
  j.seq, j.data_ref, j.fingerprint
FROM {rows}
{probe journal j ON j.shard_id = :shard AND j.run_id = r.run_id AND j.key = r.key AND j.generation = r.generation};

-- name: journal_history
-- rows: run_id text
-- takes: shard bigint
SELECT j.run_id, j.key, j.generation, j.kind, j.epoch, j.status, j.data, j.started_at, j.ended_at,
  j.seq, j.data_ref, j.fingerprint
FROM (
  SELECT r.run_id AS id, coalesce((
    SELECT max(s.generation) FROM journal s
    WHERE s.shard_id = :shard AND s.run_id = r.run_id AND s.key = '!start'), 0) AS generation
  FROM {rows}
) g
{probe journal j ON j.shard_id = :shard AND j.run_id = g.id AND (j.generation = g.generation OR j.kind = 'attempt')}
ORDER BY j.run_id, j.seq, j.key;

-- name: journal_generations
-- rows: run_id text
-- takes: shard bigint
SELECT j.run_id, max(j.generation) AS generation FROM {rows}
{probe journal j ON j.shard_id = :shard AND j.run_id = r.run_id AND j.key = '!start'}
GROUP BY j.run_id;

-- name: journal_losses
-- rows: run_id text
-- takes: shard bigint
-- ';' follows ':', and '"' follows '!', with which the keys of what the code did never begin.
SELECT
  j.run_id,
  count(*) AS losses,
  sum(CASE WHEN j.fingerprint = 'alone' THEN 1 ELSE 0 END) AS alone,
  sum(CASE WHEN j.fingerprint = 'killed' THEN 1 ELSE 0 END) AS killed
FROM {rows}
{probe journal j ON j.shard_id = :shard AND j.run_id = r.run_id AND j.key >= '!lost:' AND j.key < '!lost;'}
WHERE j.epoch >= coalesce((
  SELECT max(s.epoch) FROM journal s
  WHERE s.shard_id = :shard AND s.run_id = r.run_id AND s.key >= '"'), 0)
GROUP BY j.run_id;

-- name: waits_ends
-- rows: run_id text
-- takes: shard bigint
SELECT n.run_id, n.env_id, n.parent_id, coalesce(d.status, '') AS status
FROM {rows}
{probe run n ON n.shard_id = :shard AND n.run_id = r.run_id}
{maybe run_done d ON d.shard_id = :shard AND d.run_id = n.run_id};
