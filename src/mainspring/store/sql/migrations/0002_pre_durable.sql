-- Durable execution: what a run has behind it, what it waits for, and what others send to it.

ALTER TABLE journal ADD COLUMN seq {bigint} NOT NULL DEFAULT 0;
ALTER TABLE journal ADD COLUMN data_ref {text};
ALTER TABLE journal ADD COLUMN fingerprint {text} NOT NULL DEFAULT '';

-- The last frame of the run's own worker whose changes are in the metadata: a repeat is known by it.
ALTER TABLE metadata ADD COLUMN epoch {bigint} NOT NULL DEFAULT 0;
ALTER TABLE metadata ADD COLUMN frame {bigint} NOT NULL DEFAULT 0;

-- A run's open waits, one row for each thing waited for; insert and delete only. A wait for time
-- has the waitpoint ''. The outcome goes into the journal in the commit that deletes the last row.
CREATE TABLE wait_edge (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  key {text} NOT NULL,
  waitpoint_id {text} NOT NULL,
  kind {text} NOT NULL CHECK (kind IN ('time', 'run', 'token', 'event', 'input', 'diverged')),
  generation {bigint} NOT NULL,
  seq {bigint} NOT NULL,
  due_at {bigint} NOT NULL,
  data {text},
  fingerprint {text} NOT NULL,
  created_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id, key, waitpoint_id)
){end_live};
-- who waits for a run, a token, an event; partial, so that no plan can take it for another lookup
CREATE INDEX wait_edge_by_point ON wait_edge (shard_id, waitpoint_id, run_id, key)
  WHERE waitpoint_id <> '';
-- which runs are awaited by another than the run that triggered them; few, kept in memory
CREATE INDEX wait_edge_foreign ON wait_edge (shard_id, waitpoint_id)
  WHERE kind = 'run' AND data IS NOT NULL;

CREATE TABLE waitpoint (
  shard_id {bigint} NOT NULL,
  waitpoint_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  status {text} NOT NULL CHECK (status IN ('waiting', 'completed', 'timed_out')),
  idempotency_key {text},
  idempotency_expires_at {bigint},
  tags {text} NOT NULL,
  output {text},
  output_ref {text},
  created_at {bigint} NOT NULL,
  timeout_at {bigint},
  completed_at {bigint},
  PRIMARY KEY (shard_id, waitpoint_id)
){end};
-- lists, newest first
CREATE INDEX waitpoint_by_environment ON waitpoint (shard_id, env_id, waitpoint_id);

-- lists by idempotency key
CREATE INDEX waitpoint_by_key ON waitpoint (shard_id, env_id, idempotency_key, waitpoint_id)
  WHERE idempotency_key IS NOT NULL;

CREATE TABLE input (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  stream {text} NOT NULL,
  number {bigint} NOT NULL,
  data {text},
  data_ref {text},
  created_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id, stream, number)
){end_keyed};

-- Nearly every run completes: its end is found through the primary key, and costs no second index.
-- Partial for the same reason as ready_by_lane, too.
DROP INDEX run_done_by_status;
CREATE INDEX run_done_by_status ON run_done (shard_id, env_id, status, run_id)
  WHERE status <> 'completed';
