-- What the owner of a shard reads of it. Each reads a bounded range of one index.

-- name: live_active
-- takes: shard bigint
SELECT 'active' AS place, a.run_id, a.env_id, n.task, a.queue, a.ckey, a.version, a.ord, a.epoch,
  a.attempt, a.started_at, a.active_ms, a.session_id, a.cancel_at, '' AS kind, 0 AS due_at,
  n.options, n.parent_id, n.root_id, n.depth, n.created_at
FROM active a {probe run n ON n.shard_id = :shard AND n.run_id = a.run_id}
WHERE a.shard_id = :shard
ORDER BY a.run_id;

-- name: live_holding
-- takes: shard bigint, after text, limit bigint
SELECT run_id, epoch, attempt, session_id FROM active
WHERE shard_id = :shard AND run_id > :after ORDER BY run_id LIMIT :limit;

-- name: live_held
-- rows: run_id text
-- takes: shard bigint
SELECT a.run_id, a.epoch, a.attempt, a.session_id
FROM {rows} {probe active a ON a.shard_id = :shard AND a.run_id = r.run_id};

-- name: live_resumes
-- takes: shard bigint
SELECT 'ready' AS place, q.run_id, q.env_id, n.task, q.queue, q.ckey, q.version, q.ord, q.epoch,
  q.attempt, q.started_at, q.active_ms, '' AS session_id, NULL AS cancel_at, 'resume' AS kind,
  0 AS due_at, n.options, n.parent_id, n.root_id, n.depth, n.created_at
FROM ready q {probe run n ON n.shard_id = :shard AND n.run_id = q.run_id}
WHERE q.shard_id = :shard AND q.resume = 1
ORDER BY q.env_id, q.queue, q.ckey, q.version, q.ord, q.run_id;

-- name: live_locate
-- rows: run_id text
-- takes: shard bigint
SELECT 'active' AS place, a.run_id, a.env_id, n.task, a.queue, a.ckey, a.version, a.ord, a.epoch,
  a.attempt, a.started_at, a.active_ms, a.session_id, a.cancel_at, '' AS kind, 0 AS due_at,
  n.options, n.parent_id, n.root_id, n.depth, n.created_at
FROM {rows}
{probe active a ON a.shard_id = :shard AND a.run_id = r.run_id}
{probe run n ON n.shard_id = :shard AND n.run_id = a.run_id}
UNION ALL
SELECT 'ready', q.run_id, q.env_id, n.task, q.queue, q.ckey, q.version, q.ord, q.epoch, q.attempt,
  q.started_at, q.active_ms, '', CAST(NULL AS bigint),
  CASE q.resume WHEN 1 THEN 'resume' ELSE '' END, 0, n.options, n.parent_id, n.root_id, n.depth,
  n.created_at
FROM {rows}
{probe ready q ON q.shard_id = :shard AND q.run_id = r.run_id}
{probe run n ON n.shard_id = :shard AND n.run_id = q.run_id}
UNION ALL
SELECT 'parked', p.run_id, p.env_id, n.task, p.queue, p.ckey, p.version, p.ord, p.epoch, p.attempt,
  p.started_at, p.active_ms, p.session_id, CAST(NULL AS bigint), p.kind, p.due_at, n.options,
  n.parent_id, n.root_id, n.depth, n.created_at
FROM {rows}
{probe parked p ON p.shard_id = :shard AND p.run_id = r.run_id}
{probe run n ON n.shard_id = :shard AND n.run_id = p.run_id};

-- name: live_known
-- rows: run_id text
-- takes: shard bigint
SELECT n.run_id, coalesce(d.status, '') AS status
FROM {rows}
{probe run n ON n.shard_id = :shard AND n.run_id = r.run_id}
{maybe run_done d ON d.shard_id = :shard AND d.run_id = n.run_id};

-- name: live_done_epochs
-- rows: run_id text
-- takes: shard bigint
SELECT d.run_id, d.epoch FROM {rows}
{probe run_done d ON d.shard_id = :shard AND d.run_id = r.run_id};

-- name: live_lanes
-- takes: shard bigint
-- One pass over the lane index, in its order; at takeover only.
SELECT env_id, queue, ckey, version, count(*) AS queued FROM ready
WHERE shard_id = :shard AND resume = 0
GROUP BY env_id, queue, ckey, version ORDER BY env_id, queue, ckey, version;

-- name: live_refill
-- rows: n bigint, env_id bigint, queue text, ckey text, version text, ord bigint, run_id text
-- takes: shard bigint, most bigint
-- One answer per lane, as a JSON list: SQLite has no LATERAL, and one statement per lane is slow.
SELECT r.n, CAST((
  SELECT {json_group}({json_array}(x.ord, x.run_id)) FROM (
    SELECT q.ord, q.run_id FROM ready q
    WHERE q.shard_id = :shard AND q.resume = 0 AND q.env_id = r.env_id AND q.queue = r.queue
      AND q.ckey = r.ckey AND q.version = r.version AND (q.ord, q.run_id) > (r.ord, r.run_id)
    ORDER BY q.ord, q.run_id LIMIT :most
  ) x
) AS text) AS found
FROM {rows};

-- name: live_timers
-- takes: shard bigint, fire_at bigint, kind text, run_id text, until bigint, most bigint
SELECT fire_at, kind, run_id FROM timer
WHERE shard_id = :shard AND (fire_at, kind, run_id) > (:fire_at, :kind, :run_id)
  AND fire_at <= :until
ORDER BY fire_at, kind, run_id LIMIT :most;

-- name: live_keys
-- rows: env_id bigint, task text, key text
-- takes: shard bigint
SELECT i.env_id, i.task, i.key, i.run_id, i.expires_at FROM {rows}
{probe idempotency i ON i.shard_id = :shard AND i.env_id = r.env_id AND i.task = r.task AND i.key = r.key};

-- name: live_debounces
-- rows: env_id bigint, task text, key text
-- takes: shard bigint
SELECT d.env_id, d.task, d.key, d.run_id, d.first_at, d.due_at, d.payload
FROM {rows}
{probe debounce d ON d.shard_id = :shard AND d.env_id = r.env_id AND d.task = r.task AND d.key = r.key};

-- name: live_rates
-- takes: shard bigint
SELECT env_id, queue, key, tat FROM rate_state WHERE shard_id = :shard
ORDER BY env_id, queue, key;

-- name: live_inbox
-- takes: shard bigint, most bigint
SELECT inbox_id, env_id, run_id, task, payload, options, created_at FROM inbox
WHERE shard_id = :shard ORDER BY inbox_id LIMIT :most;
