-- The tables of the engine. Run data begins every key with shard_id, so that a shard's rows lie
-- beside the fence that guards them and can be distributed by it.

CREATE TABLE server (
  server_id {text} NOT NULL PRIMARY KEY,
  address {text} NOT NULL,
  beat {bigint} NOT NULL
){end_hot};

CREATE TABLE shard (
  shard_id {bigint} NOT NULL PRIMARY KEY,
  owner {text} NOT NULL,
  epoch {bigint} NOT NULL
){end_hot};

CREATE TABLE environment (
  env_id {bigint} NOT NULL PRIMARY KEY,
  slug {text} NOT NULL UNIQUE,
  shard_id {bigint} NOT NULL,
  run_limit {bigint},
  burst {double} NOT NULL,
  paused {bigint} NOT NULL CHECK (paused IN (0, 1))
){end};

CREATE TABLE api_key (
  key_hash {text} NOT NULL PRIMARY KEY,
  env_id {bigint} NOT NULL,
  label {text} NOT NULL,
  created_at {bigint} NOT NULL
){end_keyed};

CREATE TABLE task (
  env_id {bigint} NOT NULL,
  task {text} NOT NULL,
  version {text} NOT NULL,
  spec {text} NOT NULL,
  updated_at {bigint} NOT NULL,
  PRIMARY KEY (env_id, task)
){end_keyed};

CREATE TABLE queue (
  env_id {bigint} NOT NULL,
  name {text} NOT NULL,
  spec {text} NOT NULL,
  paused {bigint} NOT NULL CHECK (paused IN (0, 1)),
  override_limit {bigint},
  override_at {bigint},
  PRIMARY KEY (env_id, name)
){end_keyed};

-- Never changed once inserted, but for the payload of a run that is still debounced.
CREATE TABLE run (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  task {text} NOT NULL,
  queue {text} NOT NULL,
  ckey {text} NOT NULL,
  version {text} NOT NULL,
  payload {text},
  payload_ref {text},
  options {text} NOT NULL,
  parent_id {text},
  root_id {text},
  depth {bigint} NOT NULL,
  batch_id {text},
  is_test {bigint} NOT NULL CHECK (is_test IN (0, 1)),
  created_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id)
){end};
-- lists by task
CREATE INDEX run_by_task ON run (shard_id, env_id, task, run_id);
-- lists by batch
CREATE INDEX run_by_batch ON run (shard_id, batch_id, run_id) WHERE batch_id IS NOT NULL;
-- the cascade of a cancel
CREATE INDEX run_by_parent ON run (shard_id, parent_id, run_id) WHERE parent_id IS NOT NULL;

-- Where a live run is, is its state: ready to be claimed, active with a slot, or parked.
CREATE TABLE ready (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  queue {text} NOT NULL,
  ckey {text} NOT NULL,
  version {text} NOT NULL,
  ord {bigint} NOT NULL,
  resume {bigint} NOT NULL CHECK (resume IN (0, 1)),
  epoch {bigint} NOT NULL,
  attempt {bigint} NOT NULL,
  started_at {bigint} NOT NULL,
  active_ms {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id)
){end_live};
-- The refill of a lane, and the resumed runs of the shard. Partial, so that no plan can take them
-- for a lookup by run id: with the statistics of an empty table they cost as little as the key.
CREATE INDEX ready_by_lane ON ready (shard_id, env_id, queue, ckey, version, ord, run_id)
  WHERE resume = 0;
CREATE INDEX ready_resumed ON ready (shard_id, ord, run_id) WHERE resume = 1;

CREATE TABLE active (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  queue {text} NOT NULL,
  ckey {text} NOT NULL,
  version {text} NOT NULL,
  ord {bigint} NOT NULL,
  session_id {text} NOT NULL,
  epoch {bigint} NOT NULL,
  attempt {bigint} NOT NULL,
  started_at {bigint} NOT NULL,
  claimed_at {bigint} NOT NULL,
  active_ms {bigint} NOT NULL,
  cancel_at {bigint},
  PRIMARY KEY (shard_id, run_id)
){end_live};

CREATE TABLE parked (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  queue {text} NOT NULL,
  ckey {text} NOT NULL,
  version {text} NOT NULL,
  ord {bigint} NOT NULL,
  kind {text} NOT NULL CHECK (kind IN ('delay', 'retry', 'wait', 'version')),
  due_at {bigint} NOT NULL,
  epoch {bigint} NOT NULL,
  attempt {bigint} NOT NULL,
  started_at {bigint} NOT NULL,
  active_ms {bigint} NOT NULL,
  session_id {text} NOT NULL,
  PRIMARY KEY (shard_id, run_id)
){end_live};

CREATE TABLE timer (
  shard_id {bigint} NOT NULL,
  fire_at {bigint} NOT NULL,
  kind {text} NOT NULL,
  run_id {text} NOT NULL,
  PRIMARY KEY (shard_id, fire_at, kind, run_id)
){end_live};

CREATE TABLE run_done (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  task {text} NOT NULL,
  queue {text} NOT NULL,
  status {text} NOT NULL CHECK (status IN (
    'completed', 'canceled', 'failed', 'crashed', 'system_failure', 'expired', 'timed_out')),
  epoch {bigint} NOT NULL,
  attempt {bigint} NOT NULL,
  output {text},
  output_ref {text},
  error {text},
  started_at {bigint},
  finished_at {bigint} NOT NULL,
  active_ms {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id)
){end};
-- lists by final status
-- partial for the same reason as ready_by_lane: every row is in it, no lookup by run id can take it
CREATE INDEX run_done_by_status ON run_done (shard_id, env_id, status, run_id)
  WHERE attempt >= 0;

CREATE TABLE idempotency (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  task {text} NOT NULL,
  key {text} NOT NULL,
  run_id {text} NOT NULL,
  expires_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, env_id, task, key)
){end_keyed};

CREATE TABLE debounce (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  task {text} NOT NULL,
  key {text} NOT NULL,
  run_id {text} NOT NULL,
  first_at {bigint} NOT NULL,
  due_at {bigint} NOT NULL,
  payload {text},
  PRIMARY KEY (shard_id, env_id, task, key)
){end_keyed};

CREATE TABLE run_tag (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  tag {text} NOT NULL,
  run_id {text} NOT NULL,
  PRIMARY KEY (shard_id, env_id, tag, run_id)
){end_keyed};
-- the tags of a run
CREATE INDEX run_tag_by_run ON run_tag (shard_id, run_id, tag);

CREATE TABLE metadata (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  metadata {text} NOT NULL,
  updated_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id)
){end};

CREATE TABLE journal (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  key {text} NOT NULL,
  generation {bigint} NOT NULL,
  kind {text} NOT NULL,
  epoch {bigint} NOT NULL,
  status {text} NOT NULL,
  data {text},
  started_at {bigint} NOT NULL,
  ended_at {bigint},
  PRIMARY KEY (shard_id, run_id, key, generation)
){end};

CREATE TABLE rate_state (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  queue {text} NOT NULL,
  key {text} NOT NULL,
  tat {bigint} NOT NULL,
  PRIMARY KEY (shard_id, env_id, queue, key)
){end_hot};

CREATE TABLE inbox (
  shard_id {bigint} NOT NULL,
  inbox_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  task {text} NOT NULL,
  payload {text} NOT NULL,
  options {text} NOT NULL,
  created_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, inbox_id)
){end_live};

CREATE TABLE log (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  seq {bigint} NOT NULL,
  at {bigint} NOT NULL,
  level {text} NOT NULL,
  message {text} NOT NULL,
  data {text},
  PRIMARY KEY (shard_id, run_id, seq)
){end_keyed};

-- only: postgres
-- A trigger inside the caller's own transaction, from any language: it becomes a run when that
-- transaction commits, and never exists when it does not. The id has the shape of every other.
CREATE FUNCTION mainspring_trigger(
  environment text, task text, payload text, options text DEFAULT '{}'
) RETURNS text LANGUAGE plpgsql VOLATILE AS $body$
DECLARE
  digits CONSTANT text := '0123456789abcdefghijklmnopqrstuv';
  made_at bigint := {now};
  made_id text := 'run_';
  home record;
BEGIN
  SELECT e.env_id, e.shard_id INTO home FROM environment e WHERE e.slug = $1;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'mainspring has no environment %; make it once with a server or worker', $1
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM CAST($3 AS json), CAST($4 AS json);
  FOR place IN REVERSE 9..0 LOOP
    made_id := made_id || substr(digits, CAST(made_at >> (5 * place) & 31 AS int) + 1, 1);
  END LOOP;
  made_id := made_id || substr(digits, CAST(home.shard_id >> 5 & 31 AS int) + 1, 1)
                     || substr(digits, CAST(home.shard_id & 31 AS int) + 1, 1);
  FOR place IN 1..10 LOOP
    made_id := made_id || substr(digits, CAST(floor(random() * 32) AS int) + 1, 1);
  END LOOP;
  INSERT INTO inbox (shard_id, inbox_id, env_id, run_id, task, payload, options, created_at)
  VALUES (home.shard_id, made_id, home.env_id, made_id, $2, $3, $4, made_at);
  RETURN made_id;
END
$body$;
-- only: both
