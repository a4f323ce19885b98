-- Keys, people, one-time tokens and the audit log: small tables, read by key or whole.

-- name: secret_read
-- takes: name text
SELECT value FROM server_secret WHERE name = :name;

-- name: secret_make
-- takes: name text, value text
-- The first server's value stays.
INSERT INTO server_secret (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING;

-- name: former_keys
SELECT key_hash, env_id, label, created_at FROM api_key WHERE key_id = '' ORDER BY key_hash;

-- name: former_copy
-- rows: former text, key_hash text, key_id text
INSERT INTO api_key (key_hash, env_id, label, created_at, key_id)
SELECT r.key_hash, k.env_id, k.label, k.created_at, r.key_id
FROM {rows} {probe api_key k ON k.key_hash = r.former AND k.key_id = ''}
WHERE true ON CONFLICT DO NOTHING;

-- name: former_drop
DELETE FROM api_key WHERE key_id = '';

-- name: key_find
-- takes: key_hash text
SELECT k.key_id, k.env_id, k.label, k.last_four, k.scopes, k.created_at, k.expires_at,
  k.revoked_at, k.used_at, e.slug, e.shard_id, e.run_limit, e.burst, e.paused,
  coalesce((SELECT max(s.number) FROM signing_key s WHERE s.env_id = e.env_id), 0) AS signing
FROM api_key k CROSS JOIN environment e
WHERE k.key_hash = :key_hash AND k.key_id <> '' AND e.env_id = k.env_id;

-- name: keys_all
SELECT key_id, env_id, label, last_four, scopes, created_at, expires_at, revoked_at, used_at
FROM api_key WHERE key_id <> '' ORDER BY created_at, key_id;

-- name: keys_of
-- takes: env_id bigint
SELECT key_id, env_id, label, last_four, scopes, created_at, expires_at, revoked_at, used_at
FROM api_key WHERE env_id = :env_id AND key_id <> '' ORDER BY created_at, key_id;

-- name: key_add
-- takes: key_hash text, key_id text, env_id bigint, label text, last_four text, scopes text, created_at bigint, expires_at bigint
INSERT INTO api_key (key_hash, key_id, env_id, label, last_four, scopes, created_at, expires_at)
VALUES (:key_hash, :key_id, :env_id, :label, :last_four, :scopes, :created_at, :expires_at)
ON CONFLICT DO NOTHING;

-- name: key_show
-- takes: key_hash text, last_four text
-- A key from before its last letters were kept shows them once somebody names it again.
UPDATE api_key SET last_four = :last_four WHERE key_hash = :key_hash AND last_four = '';

-- name: key_expire
-- takes: key_id text, expires_at bigint
-- Only sooner, never later.
UPDATE api_key SET expires_at = :expires_at
WHERE key_id = :key_id AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > :expires_at);

-- name: key_revoke
-- takes: key_id text, now bigint
UPDATE api_key SET revoked_at = :now WHERE key_id = :key_id AND revoked_at IS NULL;

-- name: keys_use
-- rows: key_id text, former bigint, used_at bigint
-- Of several servers one notes a use, and the others see that it is noted.
UPDATE api_key SET used_at = (SELECT r.used_at FROM {rows} WHERE r.key_id = api_key.key_id)
WHERE key_id IN (SELECT r.key_id FROM {rows})
  AND coalesce(used_at, 0) = (SELECT r.former FROM {rows} WHERE r.key_id = api_key.key_id)
RETURNING key_id;

-- name: environment_by_id
-- takes: env_id bigint
SELECT env_id, slug, shard_id, run_limit, burst, paused FROM environment WHERE env_id = :env_id;

-- name: environments_of_shard
-- takes: shard bigint
SELECT env_id, slug, shard_id, run_limit, burst, paused FROM environment
WHERE shard_id = :shard ORDER BY env_id;

-- name: signing_of
-- takes: env_id bigint
SELECT number, created_at, former_until FROM signing_key WHERE env_id = :env_id ORDER BY number;

-- name: signing_add
-- takes: env_id bigint, number bigint, now bigint, former_until bigint
INSERT INTO signing_key (env_id, number, created_at, former_until)
VALUES (:env_id, :number, :now, :former_until);

-- name: token_purge
-- takes: now bigint
DELETE FROM token_use WHERE expires_at < :now;

-- name: token_spend
-- takes: env_id bigint, token_hash text, request text, now bigint, expires_at bigint
-- The row is what makes a token single: of two that come at once, one writes it.
INSERT INTO token_use (env_id, token_hash, request, used_at, expires_at)
VALUES (:env_id, :token_hash, :request, :now, :expires_at)
ON CONFLICT DO NOTHING RETURNING token_hash;

-- name: token_repeat
-- takes: env_id bigint, token_hash text, request text, repeated text, since bigint
-- The same request again. From then on its first form cannot take the use back any more.
UPDATE token_use SET request = :repeated
WHERE env_id = :env_id AND token_hash = :token_hash AND request IN (:request, :repeated)
  AND used_at >= :since
RETURNING token_hash;

-- name: token_unspend
-- takes: env_id bigint, token_hash text, request text
DELETE FROM token_use
WHERE env_id = :env_id AND token_hash = :token_hash AND request = :request;

-- name: person_find
-- takes: token_hash text
SELECT p.person_id, p.name, p.created_at, t.expires_at
FROM person_token t CROSS JOIN person p
WHERE t.token_hash = :token_hash AND p.person_id = t.person_id;

-- name: person_environments
-- takes: person_id text
SELECT e.env_id, e.slug, e.shard_id, e.run_limit, e.burst, e.paused, r.role,
  coalesce((SELECT max(s.number) FROM signing_key s WHERE s.env_id = e.env_id), 0) AS signing
FROM person_role r CROSS JOIN environment e
WHERE r.person_id = :person_id AND (r.env_id = e.env_id OR r.env_id = 0)
ORDER BY r.env_id DESC, e.env_id;

-- name: members
SELECT p.person_id, p.name, p.created_at, coalesce(e.slug, '') AS slug,
  coalesce(r.role, '') AS role,
  (SELECT count(*) FROM person_token t WHERE t.person_id = p.person_id) AS tokens
FROM person p LEFT JOIN person_role r ON r.person_id = p.person_id
LEFT JOIN environment e ON e.env_id = r.env_id
ORDER BY p.name, slug;

-- name: person_add
-- takes: person_id text, name text, now bigint
INSERT INTO person (person_id, name, created_at) VALUES (:person_id, :name, :now);

-- name: role_set
-- takes: person_id text, env_id bigint, role text
INSERT INTO person_role (person_id, env_id, role) VALUES (:person_id, :env_id, :role)
ON CONFLICT (person_id, env_id) DO UPDATE SET role = excluded.role;

-- name: role_drop
-- takes: person_id text, env_id bigint
DELETE FROM person_role WHERE person_id = :person_id AND env_id = :env_id;

-- name: person_token_add
-- takes: token_hash text, person_id text, last_four text, now bigint, expires_at bigint
INSERT INTO person_token (token_hash, person_id, last_four, created_at, expires_at)
VALUES (:token_hash, :person_id, :last_four, :now, :expires_at);

-- name: person_token_end
-- takes: token_hash text
DELETE FROM person_token WHERE token_hash = :token_hash;

-- name: password_find
-- takes: name text
SELECT p.person_id, coalesce(w.hash, '') AS hash
FROM person p LEFT JOIN person_password w ON w.person_id = p.person_id
WHERE p.name = :name;

-- name: password_set
-- takes: person_id text, hash text, now bigint
INSERT INTO person_password (person_id, hash, set_at) VALUES (:person_id, :hash, :now)
ON CONFLICT (person_id) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at;

-- name: password_drop
-- takes: person_id text
DELETE FROM person_password WHERE person_id = :person_id;

-- name: person_tokens_drop
-- takes: person_id text
DELETE FROM person_token WHERE person_id = :person_id;

-- name: person_roles_drop
-- takes: person_id text
DELETE FROM person_role WHERE person_id = :person_id;

-- name: person_drop
-- takes: person_id text
DELETE FROM person WHERE person_id = :person_id;

-- name: audit_last
SELECT number, at, env_id, who, what, target, origin, request_id, hash
FROM audit ORDER BY number DESC LIMIT 1;

-- name: audit_add
-- rows: number bigint, at bigint, env_id bigint, who text, what text, target text, origin text, request_id text, hash text
-- Another server's entry with the same number makes this fail as a whole; it is linked anew then.
INSERT INTO audit (number, at, env_id, who, what, target, origin, request_id, hash)
SELECT r.number, r.at, r.env_id, r.who, r.what, r.target, r.origin, r.request_id, r.hash
FROM {rows} WHERE true;

-- name: audit_page
-- takes: after bigint, most bigint
SELECT number, at, env_id, who, what, target, origin, request_id, hash
FROM audit WHERE number > :after ORDER BY number LIMIT :most;
