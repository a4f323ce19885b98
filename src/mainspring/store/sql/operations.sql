-- What people do in bulk and by schedule, and what lists of runs are filtered by. The first ones are
-- lists of a commit, see store/changes.py.

-- name: mark
-- rows: env_id bigint, kind text, value text, run_id text
-- takes: shard bigint
INSERT INTO run_mark (shard_id, env_id, kind, value, run_id)
SELECT :shard, r.env_id, r.kind, r.value, r.run_id FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: bulk
-- rows: bulk_id text, env_id bigint, kind text, status text, name text, region text, wanted text, place text, total bigint, success bigint, failure bigint, created_at bigint, completed_at bigint
-- takes: shard bigint
INSERT INTO bulk_action (shard_id, bulk_id, env_id, kind, status, name, region, wanted, place,
  total, success, failure, created_at, completed_at)
SELECT :shard, r.bulk_id, r.env_id, r.kind, r.status, r.name, r.region, r.wanted, r.place, r.total,
  r.success, r.failure, r.created_at, r.completed_at
FROM {rows} WHERE true
ON CONFLICT (shard_id, bulk_id) DO UPDATE SET status = excluded.status, place = excluded.place,
  total = excluded.total, success = excluded.success, failure = excluded.failure,
  completed_at = excluded.completed_at;

-- name: schedule
-- rows: schedule_id text, env_id bigint, kind text, task text, cron text, timezone text, spread text, dedup_key text, external_id text, active bigint, next_at bigint, last_at bigint, created_at bigint, updated_at bigint, fire_at bigint, catch_up text, gone bigint
-- takes: shard bigint
INSERT INTO schedule (shard_id, schedule_id, env_id, kind, task, cron, timezone, spread, dedup_key,
  external_id, active, next_at, last_at, created_at, updated_at, fire_at, catch_up, gone)
SELECT :shard, r.schedule_id, r.env_id, r.kind, r.task, r.cron, r.timezone, r.spread, r.dedup_key,
  r.external_id, r.active, r.next_at, r.last_at, r.created_at, r.updated_at,
  r.fire_at, r.catch_up, r.gone
FROM {rows} WHERE true
ON CONFLICT (shard_id, schedule_id) DO UPDATE SET kind = excluded.kind, task = excluded.task,
  cron = excluded.cron, timezone = excluded.timezone, spread = excluded.spread,
  external_id = excluded.external_id, active = excluded.active, next_at = excluded.next_at,
  last_at = excluded.last_at, updated_at = excluded.updated_at, fire_at = excluded.fire_at,
  catch_up = excluded.catch_up, gone = excluded.gone;

-- name: tick
-- rows: schedule_id text, tick bigint, next_at bigint, fire_at bigint, last_at bigint, active bigint
-- takes: shard bigint
-- Moves a schedule on from exactly that tick, or the commit that makes its run does not hold. Not
-- UPDATE ... FROM, as in `payload`. What else must hold stands apart from the look-up by key, or
-- PostgreSQL walks the index of what fires next.
INSERT INTO schedule (shard_id, schedule_id, env_id, kind, task, cron, timezone, spread, dedup_key,
  external_id, active, next_at, last_at, created_at, updated_at, fire_at, catch_up, gone)
SELECT s.shard_id, s.schedule_id, s.env_id, s.kind, s.task, s.cron, s.timezone, s.spread,
  s.dedup_key, s.external_id, r.active, r.next_at, r.last_at, s.created_at, s.updated_at,
  r.fire_at, s.catch_up, s.gone
FROM {rows}
{probe schedule s ON s.shard_id = :shard AND s.schedule_id = r.schedule_id}
WHERE s.next_at = r.tick AND s.active = 1
ON CONFLICT (shard_id, schedule_id) DO UPDATE SET active = excluded.active,
  next_at = excluded.next_at, fire_at = excluded.fire_at, last_at = excluded.last_at;

-- name: drop_schedule
-- rows: schedule_id text
-- takes: shard bigint
DELETE FROM schedule WHERE {among schedule: schedule_id};

-- name: deployment
-- rows: env_id bigint, version text, deployment_id text, created_at bigint, seen_at bigint, external_id text, bundle_ref text, bundle_hash text, bundle_size bigint, manifest_ref text, runtime text, image text
-- takes: shard bigint
-- A worker may have announced the version in this moment; then its row gets the bundle.
INSERT INTO deployment (shard_id, env_id, version, deployment_id, created_at, seen_at, external_id,
  bundle_ref, bundle_hash, bundle_size, manifest_ref, runtime, image)
SELECT :shard, r.env_id, r.version, r.deployment_id, r.created_at, r.seen_at, r.external_id,
  r.bundle_ref, r.bundle_hash, r.bundle_size, r.manifest_ref, r.runtime, r.image
FROM {rows} WHERE true
ON CONFLICT (shard_id, env_id, version) DO UPDATE SET external_id = excluded.external_id,
  bundle_ref = excluded.bundle_ref, bundle_hash = excluded.bundle_hash,
  bundle_size = excluded.bundle_size, manifest_ref = excluded.manifest_ref,
  runtime = excluded.runtime, image = excluded.image
WHERE deployment.bundle_ref IS NULL;

-- name: promotion
-- rows: env_id bigint, number bigint, version text, promoted_at bigint
-- takes: shard bigint
-- The numbers of an environment are given one by one; a repeat finds its row.
INSERT INTO promotion (shard_id, env_id, number, version, promoted_at)
SELECT :shard, r.env_id, r.number, r.version, r.promoted_at
FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: bulk_pending
-- takes: shard bigint
-- At takeover: few rows, in an index of their own.
SELECT bulk_id, env_id, kind, status, name, region, wanted, place, total, success, failure,
  created_at, completed_at
FROM bulk_action WHERE shard_id = :shard AND status = 'pending' ORDER BY bulk_id;

-- name: bulk_one
-- takes: shard bigint, bulk_id text
SELECT bulk_id, env_id, kind, status, name, region, wanted, place, total, success, failure,
  created_at, completed_at
FROM bulk_action WHERE shard_id = :shard AND bulk_id = :bulk_id;

-- name: bulk_older
-- takes: shard bigint, env_id bigint, low text, high text, most bigint
SELECT bulk_id, env_id, kind, status, name, region, wanted, place, total, success, failure,
  created_at, completed_at
FROM bulk_action WHERE shard_id = :shard
  AND (env_id, bulk_id) > (:env_id, :low) AND (env_id, bulk_id) < (:env_id, :high)
ORDER BY env_id DESC, bulk_id DESC LIMIT :most;

-- name: bulk_newer
-- takes: shard bigint, env_id bigint, low text, high text, most bigint
SELECT bulk_id, env_id, kind, status, name, region, wanted, place, total, success, failure,
  created_at, completed_at
FROM bulk_action WHERE shard_id = :shard
  AND (env_id, bulk_id) > (:env_id, :low) AND (env_id, bulk_id) < (:env_id, :high)
ORDER BY env_id, bulk_id LIMIT :most;

-- name: schedule_page
-- takes: shard bigint, env_id bigint, skip bigint, most bigint
SELECT schedule_id, env_id, kind, task, cron, timezone, spread, dedup_key, external_id, active,
  next_at, last_at, created_at, updated_at, fire_at, catch_up, gone
FROM schedule WHERE shard_id = :shard
  AND (env_id, schedule_id) > (:env_id, '') AND (env_id, schedule_id) < (:env_id, '~')
ORDER BY env_id DESC, schedule_id DESC LIMIT :most OFFSET :skip;

-- name: schedule_count
-- takes: shard bigint, env_id bigint
SELECT (
  SELECT count(*) FROM schedule WHERE shard_id = :shard
    AND (env_id, schedule_id) > (:env_id, '') AND (env_id, schedule_id) < (:env_id, '~')
) AS found;

-- name: schedule_one
-- takes: shard bigint, schedule_id text
SELECT schedule_id, env_id, kind, task, cron, timezone, spread, dedup_key, external_id, active,
  next_at, last_at, created_at, updated_at, fire_at, catch_up, gone
FROM schedule WHERE shard_id = :shard AND schedule_id = :schedule_id;

-- name: schedule_of_key
-- takes: shard bigint, env_id bigint, dedup_key text
SELECT schedule_id, env_id, kind, task, cron, timezone, spread, dedup_key, external_id, active,
  next_at, last_at, created_at, updated_at, fire_at, catch_up, gone
FROM schedule WHERE shard_id = :shard AND env_id = :env_id AND dedup_key = :dedup_key;

-- name: schedules_many
-- rows: schedule_id text
-- takes: shard bigint
SELECT s.schedule_id, s.env_id, s.kind, s.task, s.cron, s.timezone, s.spread, s.dedup_key,
  s.external_id, s.active, s.next_at, s.last_at, s.created_at, s.updated_at, s.fire_at, s.catch_up,
  s.gone
FROM {rows} {probe schedule s ON s.shard_id = :shard AND s.schedule_id = r.schedule_id};

-- name: schedules_declared
-- takes: shard bigint, env_id bigint, low text, high text
-- Few: what code declares.
SELECT schedule_id, env_id, kind, task, cron, timezone, spread, dedup_key, external_id, active,
  next_at, last_at, created_at, updated_at, fire_at, catch_up, gone
FROM schedule WHERE shard_id = :shard AND env_id = :env_id
  AND dedup_key > :low AND dedup_key < :high
ORDER BY dedup_key;

-- name: schedules_due
-- takes: shard bigint, fire_at bigint, schedule_id text, until bigint, most bigint
SELECT fire_at, schedule_id FROM schedule
WHERE shard_id = :shard AND active = 1 AND (fire_at, schedule_id) > (:fire_at, :schedule_id)
  AND fire_at <= :until
ORDER BY fire_at, schedule_id LIMIT :most;

-- name: deployment_seen
-- takes: shard bigint, env_id bigint, version text, deployment_id text, now bigint
-- Keeps the id and the time of the first worker.
INSERT INTO deployment (shard_id, env_id, version, deployment_id, created_at, seen_at)
VALUES (:shard, :env_id, :version, :deployment_id, :now, :now)
ON CONFLICT (shard_id, env_id, version) DO UPDATE SET seen_at = excluded.seen_at;

-- name: deployment_older
-- takes: shard bigint, env_id bigint, low text, high text, most bigint
SELECT version, deployment_id, created_at, seen_at, external_id, bundle_ref, bundle_hash,
  bundle_size, manifest_ref, runtime, image
FROM deployment WHERE shard_id = :shard
  AND (env_id, deployment_id) > (:env_id, :low) AND (env_id, deployment_id) < (:env_id, :high)
ORDER BY env_id DESC, deployment_id DESC LIMIT :most;

-- name: deployment_newer
-- takes: shard bigint, env_id bigint, low text, high text, most bigint
SELECT version, deployment_id, created_at, seen_at, external_id, bundle_ref, bundle_hash,
  bundle_size, manifest_ref, runtime, image
FROM deployment WHERE shard_id = :shard
  AND (env_id, deployment_id) > (:env_id, :low) AND (env_id, deployment_id) < (:env_id, :high)
ORDER BY env_id, deployment_id LIMIT :most;

-- name: deployment_one
-- takes: shard bigint, env_id bigint, version text
SELECT version, deployment_id, created_at, seen_at, external_id, bundle_ref, bundle_hash,
  bundle_size, manifest_ref, runtime, image
FROM deployment WHERE shard_id = :shard AND env_id = :env_id AND version = :version;

-- name: deployment_of_external
-- takes: shard bigint, env_id bigint, external_id text
SELECT version, deployment_id, created_at, seen_at, external_id, bundle_ref, bundle_hash,
  bundle_size, manifest_ref, runtime, image
FROM deployment WHERE shard_id = :shard AND env_id = :env_id AND external_id = :external_id
  AND external_id IS NOT NULL;

-- name: deployment_external_ids
-- takes: shard bigint
-- At takeover: one entry for each deployment of a pipeline.
SELECT env_id, external_id, version FROM deployment
WHERE shard_id = :shard AND external_id IS NOT NULL ORDER BY env_id, external_id;

-- name: versions_in_use
-- takes: shard bigint, env_id bigint
-- Once an hour, and only where old bundles are: it goes through all live runs.
SELECT version FROM ready WHERE shard_id = :shard AND env_id = :env_id AND version <> ''
UNION SELECT version FROM active WHERE shard_id = :shard AND env_id = :env_id AND version <> ''
UNION SELECT version FROM parked WHERE shard_id = :shard AND env_id = :env_id AND version <> '';

-- name: deployment_drop_bundle
-- takes: shard bigint, env_id bigint, version text
UPDATE deployment SET bundle_ref = NULL
WHERE shard_id = :shard AND env_id = :env_id AND version = :version;

-- name: deployment_versions
-- takes: shard bigint, env_id bigint, low text, high text
-- The versions of one day.
SELECT version FROM deployment WHERE shard_id = :shard
  AND (env_id, version) > (:env_id, :low) AND (env_id, version) < (:env_id, :high)
ORDER BY env_id, version;

-- name: promotions
-- takes: shard bigint, env_id bigint, most bigint
SELECT number, version, promoted_at FROM promotion WHERE shard_id = :shard
  AND (env_id, number) > (:env_id, 0) AND (env_id, number) < (:env_id, 9223372036854775807)
ORDER BY env_id DESC, number DESC LIMIT :most;

-- name: environment_pause
-- takes: env_id bigint, paused bigint
UPDATE environment SET paused = :paused WHERE env_id = :env_id;

-- name: journal_of_run
-- takes: shard bigint, run_id text, most bigint
-- Every generation, without results but for those that tell which runs were made and what failed.
SELECT key, generation, seq, kind, status, started_at, ended_at,
  CASE WHEN kind IN ('trigger', 'attempt', 'lost') THEN data END AS data
FROM journal
WHERE shard_id = :shard AND (run_id, key) > (:run_id, '') AND (run_id, key) < (:run_id, '~~')
ORDER BY run_id, key, generation LIMIT :most;

-- name: environment_limit
-- takes: env_id bigint, run_limit bigint, burst double
UPDATE environment SET run_limit = :run_limit, burst = :burst WHERE env_id = :env_id;

-- name: environment_archive
-- takes: env_id bigint, slug text
-- The row stays, so that its number is never given again; its slug is free.
UPDATE environment SET slug = :slug, paused = 1 WHERE env_id = :env_id;

-- name: keys_end
-- takes: env_id bigint, now bigint
UPDATE api_key SET revoked_at = :now WHERE env_id = :env_id AND revoked_at IS NULL;
