-- What people look at across runs: failures that are alike, and the lines of all runs by time.

-- Failed runs with the same fingerprint, one row for all of them. `marked_at` is when people set the
-- status; a run made after that which fails again takes a resolved group to regressed.
CREATE TABLE error_group (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  fingerprint {text} NOT NULL,
  task {text} NOT NULL,
  name {text} NOT NULL,
  place {text} NOT NULL,
  message {text} NOT NULL,
  status {text} NOT NULL CHECK (status IN ('new', 'resolved', 'muted', 'regressed')),
  found {bigint} NOT NULL,
  first_at {bigint} NOT NULL,
  last_at {bigint} NOT NULL,
  first_run {text} NOT NULL,
  last_run {text} NOT NULL,
  first_version {text} NOT NULL,
  last_version {text} NOT NULL,
  made_at {bigint} NOT NULL,
  marked_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, env_id, fingerprint)
){end_hot};
-- lists, the latest first
CREATE INDEX error_group_by_time ON error_group (shard_id, env_id, last_at, fingerprint);

-- the lines of all runs, the newest first
CREATE INDEX log_by_time ON log (shard_id, at, run_id, seq);
