-- The statements of one grouped commit, named as the lists of store/changes.py. Each writes its
-- whole list at once and finds its rows by primary key only, so that neither a backlog nor
-- history costs anything. The lists in EXACT are inserted without ON CONFLICT, which costs a third
-- more: a row that is there already rejects the commit either way.

-- name: fence
-- takes: shard bigint, epoch bigint
-- One row while the epoch still holds the shard. PostgreSQL sends it with BEGIN and locks the row.
SELECT 1 AS held FROM shard WHERE shard_id = :shard AND epoch = :epoch;

-- name: drop_active
-- rows: run_id text, epoch bigint
-- takes: shard bigint
DELETE FROM active WHERE {among active: run_id, epoch};

-- name: drop_ready
-- rows: run_id text
-- takes: shard bigint
DELETE FROM ready WHERE {among ready: run_id};

-- name: drop_parked
-- rows: run_id text
-- takes: shard bigint
DELETE FROM parked WHERE {among parked: run_id};

-- name: drop_timer
-- rows: fire_at bigint, kind text, run_id text
-- takes: shard bigint
DELETE FROM timer WHERE {among timer: fire_at, kind, run_id};

-- name: drop_edge
-- rows: run_id text, key text, waitpoint_id text
-- takes: shard bigint
DELETE FROM wait_edge WHERE {among wait_edge: run_id, key, waitpoint_id};

-- name: done
-- rows: run_id text, env_id bigint, task text, queue text, status text, epoch bigint, attempt bigint, output text, output_ref text, error text, started_at bigint, finished_at bigint, active_ms bigint
-- takes: shard bigint, change bigint
INSERT INTO run_done (shard_id, run_id, env_id, task, queue, status, epoch, attempt, output,
  output_ref, error, started_at, finished_at, active_ms, change)
SELECT :shard, r.run_id, r.env_id, r.task, r.queue, r.status, r.epoch, r.attempt, r.output,
  r.output_ref, r.error, r.started_at, r.finished_at, r.active_ms,
  :change
FROM {rows};

-- name: drop_key
-- rows: env_id bigint, task text, key text, run_id text
-- takes: shard bigint
-- Only while the key still leads to that run.
DELETE FROM idempotency WHERE {among idempotency: env_id, task, key, run_id};

-- name: drop_debounce
-- rows: env_id bigint, task text, key text
-- takes: shard bigint
DELETE FROM debounce WHERE {among debounce: env_id, task, key};

-- name: run
-- rows: run_id text, env_id bigint, task text, queue text, ckey text, version text, payload text, payload_ref text, options text, parent_id text, root_id text, depth bigint, batch_id text, is_test bigint, created_at bigint
-- takes: shard bigint, change bigint
INSERT INTO run (shard_id, run_id, env_id, task, queue, ckey, version, payload, payload_ref,
  options, parent_id, root_id, depth, batch_id, is_test, created_at, change)
SELECT :shard, r.run_id, r.env_id, r.task, r.queue, r.ckey, r.version, r.payload, r.payload_ref,
  r.options, r.parent_id, r.root_id, r.depth, r.batch_id, r.is_test, r.created_at,
  :change
FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: payload
-- rows: run_id text, payload text, payload_ref text
-- takes: shard bigint, change bigint
-- Not UPDATE ... FROM: SQLite would walk the shard's runs to look each up in the batch.
INSERT INTO run (shard_id, run_id, env_id, task, queue, ckey, version, payload, payload_ref,
  options, parent_id, root_id, depth, batch_id, is_test, created_at, change)
SELECT n.shard_id, n.run_id, n.env_id, n.task, n.queue, n.ckey, n.version, r.payload,
  r.payload_ref, n.options, n.parent_id, n.root_id, n.depth, n.batch_id, n.is_test, n.created_at,
  :change
FROM {rows} {probe run n ON n.shard_id = :shard AND n.run_id = r.run_id} WHERE true
ON CONFLICT (shard_id, run_id)
DO UPDATE SET payload = excluded.payload, payload_ref = excluded.payload_ref,
  change = excluded.change;

-- name: key
-- rows: env_id bigint, task text, key text, run_id text, expires_at bigint
-- takes: shard bigint
INSERT INTO idempotency (shard_id, env_id, task, key, run_id, expires_at)
SELECT :shard, r.env_id, r.task, r.key, r.run_id, r.expires_at FROM {rows} WHERE true
ON CONFLICT (shard_id, env_id, task, key)
DO UPDATE SET run_id = excluded.run_id, expires_at = excluded.expires_at;

-- name: debounce
-- rows: env_id bigint, task text, key text, run_id text, first_at bigint, due_at bigint, payload text
-- takes: shard bigint
INSERT INTO debounce (shard_id, env_id, task, key, run_id, first_at, due_at, payload)
SELECT :shard, r.env_id, r.task, r.key, r.run_id, r.first_at, r.due_at, r.payload
FROM {rows} WHERE true
ON CONFLICT (shard_id, env_id, task, key)
DO UPDATE SET run_id = excluded.run_id, first_at = excluded.first_at, due_at = excluded.due_at,
  payload = excluded.payload;

-- name: tag
-- rows: env_id bigint, tag text, run_id text
-- takes: shard bigint, change bigint
INSERT INTO run_tag (shard_id, env_id, tag, run_id, change)
SELECT :shard, r.env_id, r.tag, r.run_id, :change FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: metadata
-- rows: run_id text, metadata text, updated_at bigint
-- takes: shard bigint, change bigint
INSERT INTO metadata (shard_id, run_id, metadata, updated_at, change)
SELECT :shard, r.run_id, r.metadata, r.updated_at, :change FROM {rows} WHERE true
ON CONFLICT (shard_id, run_id)
DO UPDATE SET metadata = excluded.metadata, updated_at = excluded.updated_at,
  change = excluded.change;

-- name: journal
-- rows: run_id text, key text, generation bigint, kind text, epoch bigint, status text, data text, started_at bigint, ended_at bigint, seq bigint, data_ref text, fingerprint text
-- takes: shard bigint
-- The first entry of a key and generation stays: it is what the run was told.
INSERT INTO journal (shard_id, run_id, key, generation, kind, epoch, status, data, started_at,
  ended_at, seq, data_ref, fingerprint)
SELECT :shard, r.run_id, r.key, r.generation, r.kind, r.epoch, r.status, r.data, r.started_at,
  r.ended_at, r.seq, r.data_ref, r.fingerprint
FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: edge
-- rows: run_id text, key text, waitpoint_id text, kind text, generation bigint, seq bigint, due_at bigint, data text, fingerprint text, created_at bigint
-- takes: shard bigint
-- The first registration of a wait stays, with its end.
INSERT INTO wait_edge (shard_id, run_id, key, waitpoint_id, kind, generation, seq, due_at, data,
  fingerprint, created_at)
SELECT :shard, r.run_id, r.key, r.waitpoint_id, r.kind, r.generation, r.seq, r.due_at, r.data,
  r.fingerprint, r.created_at
FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: park
-- rows: run_id text, env_id bigint, queue text, ckey text, version text, ord bigint, kind text, due_at bigint, epoch bigint, attempt bigint, started_at bigint, active_ms bigint, session_id text
-- takes: shard bigint, change bigint
INSERT INTO parked (shard_id, run_id, env_id, queue, ckey, version, ord, kind, due_at, epoch,
  attempt, started_at, active_ms, session_id, change)
SELECT :shard, r.run_id, r.env_id, r.queue, r.ckey, r.version, r.ord, r.kind, r.due_at, r.epoch,
  r.attempt, r.started_at, r.active_ms, r.session_id,
  :change
FROM {rows};

-- name: timer
-- rows: fire_at bigint, kind text, run_id text
-- takes: shard bigint
INSERT INTO timer (shard_id, fire_at, kind, run_id)
SELECT :shard, r.fire_at, r.kind, r.run_id FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: ready
-- rows: run_id text, env_id bigint, queue text, ckey text, version text, ord bigint, resume bigint, epoch bigint, attempt bigint, started_at bigint, active_ms bigint
-- takes: shard bigint, change bigint
INSERT INTO ready (shard_id, run_id, env_id, queue, ckey, version, ord, resume, epoch, attempt,
  started_at, active_ms, change)
SELECT :shard, r.run_id, r.env_id, r.queue, r.ckey, r.version, r.ord, r.resume, r.epoch, r.attempt,
  r.started_at, r.active_ms, :change
FROM {rows};

-- name: start
-- rows: run_id text, env_id bigint, queue text, ckey text, version text, ord bigint, session_id text, epoch bigint, attempt bigint, started_at bigint, claimed_at bigint, active_ms bigint
-- takes: shard bigint, change bigint
INSERT INTO active (shard_id, run_id, env_id, queue, ckey, version, ord, session_id, epoch,
  attempt, started_at, claimed_at, active_ms, change)
SELECT :shard, r.run_id, r.env_id, r.queue, r.ckey, r.version, r.ord, r.session_id, r.epoch,
  r.attempt, r.started_at, r.claimed_at, r.active_ms, :change
FROM {rows};

-- name: cancel
-- rows: run_id text, epoch bigint, cancel_at bigint
-- takes: shard bigint, change bigint
-- Not UPDATE ... FROM, as in `payload`.
INSERT INTO active (shard_id, run_id, env_id, queue, ckey, version, ord, session_id, epoch,
  attempt, started_at, claimed_at, active_ms, cancel_at, change)
SELECT a.shard_id, a.run_id, a.env_id, a.queue, a.ckey, a.version, a.ord, a.session_id, a.epoch,
  a.attempt, a.started_at, a.claimed_at, a.active_ms, r.cancel_at,
  :change
FROM {rows}
{probe active a ON a.shard_id = :shard AND a.run_id = r.run_id AND a.epoch = r.epoch}
WHERE true
ON CONFLICT (shard_id, run_id) DO UPDATE SET cancel_at = excluded.cancel_at,
  change = excluded.change;

-- name: claim
-- rows: run_id text, session_id text, version text
-- takes: shard bigint, change bigint, now bigint
-- A run starts when it is first claimed.
INSERT INTO active (shard_id, run_id, env_id, queue, ckey, version, ord, session_id, epoch,
  attempt, started_at, claimed_at, active_ms, change)
SELECT q.shard_id, q.run_id, q.env_id, q.queue, q.ckey, r.version, q.ord, r.session_id,
  q.epoch + 1, q.attempt, CASE q.started_at WHEN 0 THEN :now ELSE q.started_at END, :now,
  q.active_ms, :change
FROM {rows} {probe ready q ON q.shard_id = :shard AND q.run_id = r.run_id};

-- name: claim_leave
-- rows: run_id text, session_id text, version text
-- takes: shard bigint
-- The second half of a claim.
DELETE FROM ready WHERE {among ready: run_id};

-- name: claimed
-- rows: run_id text, session_id text, version text
-- takes: shard bigint
-- The last part of a claim: what the worker needs, in the order of `Claimed`.
SELECT a.run_id, a.epoch, a.attempt, a.started_at, a.active_ms, n.task, n.payload, n.payload_ref,
  n.options, n.parent_id, n.root_id, n.depth, n.is_test, n.created_at
FROM {rows}
{probe active a ON a.shard_id = :shard AND a.run_id = r.run_id}
{probe run n ON n.shard_id = :shard AND n.run_id = r.run_id};

-- name: pin
-- rows: run_id text, version text
-- takes: shard bigint, change bigint
-- What a list by version finds, and what is left of the pin when the run has ended. Not UPDATE ...
-- FROM, as in `payload`.
INSERT INTO run (shard_id, run_id, env_id, task, queue, ckey, version, payload, payload_ref,
  options, parent_id, root_id, depth, batch_id, is_test, created_at, change)
SELECT n.shard_id, n.run_id, n.env_id, n.task, n.queue, n.ckey, r.version, n.payload,
  n.payload_ref, n.options, n.parent_id, n.root_id, n.depth, n.batch_id, n.is_test, n.created_at,
  :change
FROM {rows} {probe run n ON n.shard_id = :shard AND n.run_id = r.run_id} WHERE true
ON CONFLICT (shard_id, run_id) DO UPDATE SET version = excluded.version, change = excluded.change;

-- name: rate
-- rows: env_id bigint, queue text, key text, tat bigint
-- takes: shard bigint
INSERT INTO rate_state (shard_id, env_id, queue, key, tat)
SELECT :shard, r.env_id, r.queue, r.key, r.tat FROM {rows} WHERE true
ON CONFLICT (shard_id, env_id, queue, key) DO UPDATE SET tat = excluded.tat;

-- name: drop_inbox
-- rows: inbox_id text
-- takes: shard bigint
DELETE FROM inbox WHERE {among inbox: inbox_id};
