-- What is measured, as rows of a minute or an hour, and the spans that programs make within runs.

-- name: metric_set
-- rows: env_id bigint, step_ms bigint, name text, at bigint, labels text, part bigint, kind text, count bigint, total double, low double, high double, last double, buckets text
-- takes: shard bigint
-- Whole rows of a part that nobody else writes: writing one again is no harm.
INSERT INTO metric (shard_id, env_id, step_ms, name, at, labels, part, kind, count, total, low,
  high, last, buckets)
SELECT :shard, r.env_id, r.step_ms, r.name, r.at, r.labels, r.part, r.kind, r.count, r.total,
  r.low, r.high, r.last, r.buckets
FROM {rows} WHERE true
ON CONFLICT (shard_id, env_id, step_ms, name, at, labels, part) DO UPDATE SET
  count = excluded.count, total = excluded.total, low = excluded.low, high = excluded.high,
  last = excluded.last, buckets = excluded.buckets;

-- name: metric_read
-- takes: shard bigint, env_id bigint, step_ms bigint, name text, since bigint, until bigint, most bigint
SELECT at, labels, part, kind, count, total, low, high, last, buckets FROM metric
WHERE shard_id = :shard
  AND (env_id, step_ms, name, at) >= (:env_id, :step_ms, :name, :since)
  AND (env_id, step_ms, name, at) < (:env_id, :step_ms, :name, :until)
ORDER BY env_id, step_ms, name, at, labels, part LIMIT :most;

-- name: metric_after
-- takes: shard bigint, env_id bigint, step_ms bigint, name text
-- The next name: so names are found one look-up each, not by a walk over all rows.
SELECT name, kind, labels FROM metric
WHERE shard_id = :shard AND (env_id, step_ms, name) > (:env_id, :step_ms, :name)
  AND (env_id, step_ms) <= (:env_id, :step_ms)
ORDER BY env_id, step_ms, name LIMIT 1;

-- name: metric_past
-- takes: shard bigint, step_ms bigint, before bigint, most bigint
SELECT env_id, step_ms, name, at, labels, part FROM metric
WHERE shard_id = :shard AND (step_ms, at) >= (:step_ms, 0) AND (step_ms, at) < (:step_ms, :before)
ORDER BY step_ms, at LIMIT :most;

-- name: drop_metric
-- rows: env_id bigint, step_ms bigint, name text, at bigint, labels text, part bigint
-- takes: shard bigint
DELETE FROM metric WHERE {among metric: env_id, step_ms, name, at, labels, part};

-- name: span_add
-- rows: run_id text, span_id text, parent_id text, name text, kind text, service text, started_at bigint, ended_at bigint, error text, attributes text, model text, input_tokens bigint, output_tokens bigint, cost bigint
-- takes: shard bigint
-- A span that is told again is there already.
INSERT INTO span (shard_id, run_id, span_id, parent_id, name, kind, service, started_at, ended_at,
  error, attributes, model, input_tokens, output_tokens, cost)
SELECT :shard, r.run_id, r.span_id, r.parent_id, r.name, r.kind, r.service, r.started_at,
  r.ended_at, r.error, r.attributes, r.model, r.input_tokens, r.output_tokens, r.cost
FROM {rows} WHERE true
ON CONFLICT DO NOTHING;

-- name: spans_of_runs
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT s.run_id, s.span_id, s.parent_id, s.name, s.kind, s.service, s.started_at, s.ended_at,
  s.error, s.attributes, s.model, s.input_tokens, s.output_tokens, s.cost
FROM {rows}
{probe span s ON s.shard_id = :shard AND s.run_id = r.run_id}
ORDER BY s.run_id, s.span_id LIMIT :most;

-- name: spans_count
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT r.run_id, (
  SELECT count(*) FROM (
    SELECT s.span_id FROM span s WHERE s.shard_id = :shard AND s.run_id = r.run_id
    ORDER BY s.span_id LIMIT :most
  ) x
) AS found
FROM {rows};

-- name: spans_usage
-- takes: shard bigint, run_id text
SELECT count(*) AS calls, CAST(coalesce(sum(input_tokens), 0) AS bigint) AS input,
  CAST(coalesce(sum(output_tokens), 0) AS bigint) AS output,
  CAST(coalesce(sum(cost), 0) AS bigint) AS paid
FROM span WHERE shard_id = :shard AND run_id = :run_id AND model <> '';

-- name: past_span
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT s.run_id, s.span_id FROM {rows}
{probe span s ON s.shard_id = :shard AND s.run_id = r.run_id} LIMIT :most;

-- name: drop_span
-- rows: run_id text, span_id text
-- takes: shard bigint
DELETE FROM span WHERE {among span: run_id, span_id};

-- name: caller
-- rows: run_id text, env_id bigint, trace_id text
-- takes: shard bigint
INSERT INTO caller (shard_id, run_id, env_id, trace_id)
SELECT :shard, r.run_id, r.env_id, r.trace_id FROM {rows} WHERE true
ON CONFLICT DO NOTHING;

-- name: callers_of_trace
-- takes: shard bigint, env_id bigint, trace_id text, most bigint
SELECT run_id FROM caller
WHERE shard_id = :shard AND (env_id, trace_id, run_id) > (:env_id, :trace_id, '')
  AND (env_id, trace_id, run_id) < (:env_id, :trace_id, '~')
ORDER BY env_id DESC, trace_id DESC, run_id DESC LIMIT :most;

-- name: past_caller
-- rows: run_id text
-- takes: shard bigint, most bigint
SELECT c.run_id FROM {rows}
{probe caller c ON c.shard_id = :shard AND c.run_id = r.run_id} LIMIT :most;

-- name: drop_caller
-- rows: run_id text
-- takes: shard bigint
DELETE FROM caller WHERE {among caller: run_id};
