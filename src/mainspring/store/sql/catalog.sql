-- Environments, tasks and queues: small tables, read whole or by key.

-- name: environments
SELECT env_id, slug, shard_id, run_limit, burst, paused FROM environment ORDER BY env_id;

-- name: environment_by_slug
-- takes: slug text
SELECT env_id, slug, shard_id, run_limit, burst, paused FROM environment WHERE slug = :slug;

-- name: environment_make
-- takes: slug text
-- Each environment has a shard to itself until all 1024 are in use. Loses quietly against another
-- server that makes one at the same moment; the caller looks again.
INSERT INTO environment (env_id, slug, shard_id, run_limit, burst, paused)
SELECT coalesce(max(e.env_id), 0) + 1, :slug, (coalesce(max(e.env_id), 0) + 1) % 1024,
  CAST(NULL AS bigint), 1.0, 0
FROM environment e WHERE true ON CONFLICT DO NOTHING;

-- name: shards_of_environments
-- Every environment's shard has a row, so that owners see it before anyone has taken it.
INSERT INTO shard (shard_id, owner, epoch)
SELECT DISTINCT e.shard_id, '', 0 FROM environment e WHERE true ON CONFLICT DO NOTHING;

-- name: tasks
-- takes: env_id bigint
SELECT spec, version FROM task WHERE env_id = :env_id ORDER BY task;

-- name: task_register
-- rows: task text, version text, spec text
-- takes: env_id bigint
INSERT INTO task (env_id, task, version, spec, updated_at)
SELECT :env_id, r.task, r.version, r.spec, {now} FROM {rows} WHERE true
ON CONFLICT (env_id, task) DO UPDATE SET version = excluded.version, spec = excluded.spec,
  updated_at = excluded.updated_at;

-- name: queues
-- takes: env_id bigint
SELECT env_id, spec, paused, override_limit, override_at FROM queue
WHERE env_id = :env_id ORDER BY name;

-- name: queue_register
-- rows: name text, spec text
-- takes: env_id bigint
-- Keeps what people changed.
INSERT INTO queue (env_id, name, spec, paused)
SELECT :env_id, r.name, r.spec, 0 FROM {rows} WHERE true
ON CONFLICT (env_id, name) DO UPDATE SET spec = excluded.spec;

-- name: queue_set
-- takes: env_id bigint, name text, spec text, paused bigint, override_limit bigint, override_at bigint
-- Keeps the code's own spec.
INSERT INTO queue (env_id, name, spec, paused, override_limit, override_at)
VALUES (:env_id, :name, :spec, :paused, :override_limit, :override_at)
ON CONFLICT (env_id, name) DO UPDATE SET paused = excluded.paused,
  override_limit = excluded.override_limit, override_at = excluded.override_at;
