-- Environment variables, sealed.

-- name: variables
-- takes: env_id bigint
SELECT env_id, name, sealed, key_id, is_secret, updated_at FROM env_var
WHERE env_id = :env_id ORDER BY name;

-- name: variables_set
-- rows: env_id bigint, name text, sealed text, key_id text, is_secret bigint, updated_at bigint
INSERT INTO env_var (env_id, name, sealed, key_id, is_secret, updated_at)
SELECT r.env_id, r.name, r.sealed, r.key_id, r.is_secret, r.updated_at FROM {rows} WHERE true
ON CONFLICT (env_id, name) DO UPDATE SET sealed = excluded.sealed, key_id = excluded.key_id,
  is_secret = excluded.is_secret, updated_at = excluded.updated_at;

-- name: variables_add
-- rows: env_id bigint, name text, sealed text, key_id text, is_secret bigint, updated_at bigint
INSERT INTO env_var (env_id, name, sealed, key_id, is_secret, updated_at)
SELECT r.env_id, r.name, r.sealed, r.key_id, r.is_secret, r.updated_at FROM {rows} WHERE true
ON CONFLICT DO NOTHING RETURNING name;

-- name: variable_drop
-- takes: env_id bigint, name text
DELETE FROM env_var WHERE env_id = :env_id AND name = :name RETURNING name;

-- name: variables_sealed_otherwise
-- takes: key_id text, most bigint
SELECT env_id, name, sealed, key_id, is_secret, updated_at FROM env_var
WHERE key_id <> :key_id ORDER BY env_id, name LIMIT :most;

-- name: variable_reseal
-- takes: env_id bigint, name text, was text, sealed text, key_id text
-- Who set the variable meanwhile has sealed it already.
UPDATE env_var SET sealed = :sealed, key_id = :key_id
WHERE env_id = :env_id AND name = :name AND sealed = :was;
