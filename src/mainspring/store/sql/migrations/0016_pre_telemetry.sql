-- What is measured, by minute and by hour, and the spans that programs make within runs.

-- `part` is the epoch of the owner that counted: each writes rows of its own, whole and as often as
-- it likes, and readers add them up. `buckets` is JSON of a histogram, or NULL.
CREATE TABLE metric (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  step_ms {bigint} NOT NULL,
  name {text} NOT NULL,
  at {bigint} NOT NULL,
  labels {text} NOT NULL,
  part {bigint} NOT NULL,
  kind {text} NOT NULL CHECK (kind IN ('counter', 'gauge', 'histogram')),
  count {bigint} NOT NULL,
  total {double} NOT NULL,
  low {double} NOT NULL,
  high {double} NOT NULL,
  last {double} NOT NULL,
  buckets {text},
  PRIMARY KEY (shard_id, env_id, step_ms, name, at, labels, part)
){end_hot};
-- the oldest are deleted
CREATE INDEX metric_by_time ON metric (shard_id, step_ms, at);

-- Times are epoch ms. `model`, the tokens and `cost` (millionths of a dollar) are of calls to models.
CREATE TABLE span (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  span_id {text} NOT NULL,
  parent_id {text} NOT NULL,
  name {text} NOT NULL,
  kind {text} NOT NULL,
  service {text} NOT NULL,
  started_at {bigint} NOT NULL,
  ended_at {bigint} NOT NULL,
  error {text},
  attributes {text} NOT NULL,
  model {text} NOT NULL,
  input_tokens {bigint} NOT NULL,
  output_tokens {bigint} NOT NULL,
  cost {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id, span_id)
){end_keyed};
-- the oldest are deleted
CREATE INDEX span_by_time ON span (shard_id, ended_at, run_id, span_id);

-- Runs whose caller is in a trace of its own; those of other traces are read from the trace's id.
CREATE TABLE caller (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  trace_id {text} NOT NULL,
  PRIMARY KEY (shard_id, run_id)
){end_keyed};
-- what comes from elsewhere names the trace
CREATE INDEX caller_by_trace ON caller (shard_id, env_id, trace_id, run_id);

-- The version in which a group was last seen when people set its status: only another one that fails
-- takes it to regressed.
ALTER TABLE error_group ADD COLUMN marked_version {text} NOT NULL DEFAULT '';
