-- Failed runs that are alike. The first is a list of a commit, see store/changes.py.

-- name: fault
-- rows: env_id bigint, fingerprint text, task text, name text, place text, message text, found bigint, at bigint, run_id text, version text, made_at bigint
-- takes: shard bigint
-- One row for each group of the commit, however many runs of it fail at once.
INSERT INTO error_group (shard_id, env_id, fingerprint, task, name, place, message, status, found,
  first_at, last_at, first_run, last_run, first_version, last_version, made_at, marked_at)
SELECT :shard, r.env_id, r.fingerprint, r.task, r.name, r.place, r.message, 'new', r.found,
  r.at, r.at, r.run_id, r.run_id, r.version, r.version, r.made_at, 0
FROM {rows} WHERE true
ON CONFLICT (shard_id, env_id, fingerprint) DO UPDATE SET
  found = error_group.found + excluded.found, message = excluded.message,
  last_at = excluded.last_at, last_run = excluded.last_run, last_version = excluded.last_version,
  made_at = excluded.made_at,
  status = CASE
    WHEN error_group.status = 'resolved' AND excluded.made_at > error_group.marked_at
      AND (excluded.last_version = '' OR excluded.last_version <> error_group.marked_version)
    THEN 'regressed' ELSE error_group.status END;

-- name: faults_page
-- takes: shard bigint, env_id bigint, last_at bigint, fingerprint text, most bigint
SELECT fingerprint, task, name, place, message, status, found, first_at, last_at, first_run,
  last_run, first_version, last_version, marked_at
FROM error_group WHERE shard_id = :shard
  AND (env_id, last_at, fingerprint) > (:env_id, 0, '')
  AND (env_id, last_at, fingerprint) < (:env_id, :last_at, :fingerprint)
ORDER BY env_id DESC, last_at DESC, fingerprint DESC LIMIT :most;

-- name: fault_one
-- takes: shard bigint, env_id bigint, fingerprint text
SELECT fingerprint, task, name, place, message, status, found, first_at, last_at, first_run,
  last_run, first_version, last_version, marked_at
FROM error_group
WHERE shard_id = :shard AND env_id = :env_id AND fingerprint = :fingerprint;

-- name: fault_mark
-- takes: shard bigint, env_id bigint, fingerprint text, status text, now bigint
UPDATE error_group SET status = :status, marked_at = :now, marked_version = last_version
WHERE shard_id = :shard AND env_id = :env_id AND fingerprint = :fingerprint;

-- name: faults_past
-- takes: shard bigint, env_id bigint, before bigint, most bigint
SELECT fingerprint FROM error_group WHERE shard_id = :shard
  AND (env_id, last_at, fingerprint) > (:env_id, 0, '')
  AND (env_id, last_at, fingerprint) < (:env_id, :before, '')
ORDER BY env_id, last_at, fingerprint LIMIT :most;

-- name: drop_fault
-- rows: env_id bigint, fingerprint text
-- takes: shard bigint
DELETE FROM error_group WHERE {among error_group: env_id, fingerprint};
