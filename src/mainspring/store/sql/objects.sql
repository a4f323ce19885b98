-- Large texts in parts, and uploads.

-- name: object_put
-- rows: part bigint, data text
-- takes: shard bigint, object_id text
-- The name is the hash of the whole: who comes second has the same to say.
INSERT INTO object (shard_id, object_id, part, data)
SELECT :shard, :object_id, r.part, r.data FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: object_get
-- takes: shard bigint, object_id text
SELECT data FROM object WHERE shard_id = :shard AND object_id = :object_id ORDER BY part;

-- name: object_drop
-- takes: shard bigint, object_id text
DELETE FROM object WHERE shard_id = :shard AND object_id = :object_id;

-- name: upload_put
-- rows: part bigint, data text
-- takes: shard bigint, env_id bigint, path text, parts bigint, type text, now bigint
-- A second upload to the path takes the place of the first, all parts in one transaction; parts of a
-- longer first one are left over, which is why each knows how many there are.
INSERT INTO upload (shard_id, env_id, path, part, parts, type, data, created_at)
SELECT :shard, :env_id, :path, r.part, :parts, :type, r.data, :now FROM {rows} WHERE true
ON CONFLICT (shard_id, env_id, path, part) DO UPDATE SET parts = excluded.parts,
  type = excluded.type, data = excluded.data, created_at = excluded.created_at;

-- name: upload_get
-- takes: shard bigint, env_id bigint, path text
SELECT u.type, u.data FROM upload first CROSS JOIN upload u
WHERE first.shard_id = :shard AND first.env_id = :env_id AND first.path = :path AND first.part = 0
  AND u.shard_id = :shard AND u.env_id = :env_id AND u.path = :path AND u.part < first.parts
ORDER BY u.part;

-- name: upload_sweep
-- takes: before bigint
DELETE FROM upload WHERE created_at < :before;
