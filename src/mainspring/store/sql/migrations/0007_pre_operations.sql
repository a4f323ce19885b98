-- What people see and do in bulk: words that lists of runs are filtered by, bulk actions, schedules,
-- and the versions that workers announced.

-- A run's words of rare kinds: machine, region, schedule, bulk, error. A run without them has no row.
CREATE TABLE run_mark (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  kind {text} NOT NULL CHECK (kind IN ('machine', 'region', 'schedule', 'bulk', 'error')),
  value {text} NOT NULL,
  run_id {text} NOT NULL,
  PRIMARY KEY (shard_id, env_id, kind, value, run_id)
){end_keyed};

-- Lists by queue, by version and of tests. Partial, so that a usual run costs nothing: what is in
-- the queue of its own task is found by the task. The environment stands late, so that no other
-- index gives their order.
CREATE INDEX run_by_queue ON run (shard_id, queue, env_id, run_id) WHERE queue <> 'task/' || task;
CREATE INDEX run_by_version ON run (shard_id, version, env_id, run_id) WHERE version <> '';
CREATE INDEX run_of_tests ON run (shard_id, is_test, env_id, run_id) WHERE is_test = 1;

-- `wanted` says of which runs: JSON of a filter, or a list of ids. `place` is the last run that was
-- dealt with (by ids: how many), written in the commit that deals with it.
CREATE TABLE bulk_action (
  shard_id {bigint} NOT NULL,
  bulk_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  kind {text} NOT NULL CHECK (kind IN ('cancel', 'replay')),
  status {text} NOT NULL CHECK (status IN ('pending', 'completed', 'aborted')),
  name {text},
  region {text},
  wanted {text} NOT NULL,
  place {text} NOT NULL,
  total {bigint} NOT NULL,
  success {bigint} NOT NULL,
  failure {bigint} NOT NULL,
  created_at {bigint} NOT NULL,
  completed_at {bigint},
  PRIMARY KEY (shard_id, bulk_id)
){end};
-- lists, newest first
CREATE INDEX bulk_action_by_environment ON bulk_action (shard_id, env_id, bulk_id);
-- what is still to be done
CREATE INDEX bulk_action_pending ON bulk_action (shard_id, bulk_id) WHERE status = 'pending';

-- `next_at` is the nominal time of the next tick. A tick is fired by the commit that makes its run
-- and moves `next_at` on from exactly that time, so that it happens once.
CREATE TABLE schedule (
  shard_id {bigint} NOT NULL,
  schedule_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  kind {text} NOT NULL CHECK (kind IN ('declarative', 'imperative')),
  task {text} NOT NULL,
  cron {text} NOT NULL,
  timezone {text} NOT NULL,
  spread {text},
  dedup_key {text} NOT NULL,
  external_id {text},
  active {bigint} NOT NULL CHECK (active IN (0, 1)),
  next_at {bigint} NOT NULL,
  last_at {bigint},
  created_at {bigint} NOT NULL,
  updated_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, schedule_id)
){end};
-- one schedule for each deduplication key
CREATE UNIQUE INDEX schedule_by_key ON schedule (shard_id, env_id, dedup_key);
-- lists
CREATE INDEX schedule_by_environment ON schedule (shard_id, env_id, schedule_id);
-- what fires next
CREATE INDEX schedule_due ON schedule (shard_id, next_at, schedule_id) WHERE active = 1;

-- A version of the tasks, from the first worker on that announced it.
CREATE TABLE deployment (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  version {text} NOT NULL,
  deployment_id {text} NOT NULL,
  created_at {bigint} NOT NULL,
  seen_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, env_id, version)
){end_keyed};
-- lists, newest first
CREATE INDEX deployment_by_id ON deployment (shard_id, env_id, deployment_id);
