-- Large texts in parts, and uploads.

-- name: object_put
-- rows: part bigint, data text
-- takes: shard bigint, object_id text
-- The name is the hash of the whole: who comes second has the same to say. The first part comes
-- first: when the others are laid aside while we look at it, what we add later is without it, and
-- an object without its first part is none.
INSERT INTO object (shard_id, object_id, part, data)
SELECT :shard, :object_id, r.part, r.data FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: object_get
-- takes: shard bigint, object_id text, aside text
-- In its place, or aside; one statement, so that it is not on its way from one to the other.
SELECT data FROM object WHERE shard_id = :shard AND object_id = CASE WHEN EXISTS (
    SELECT 1 FROM object o WHERE o.shard_id = :shard AND o.object_id = :object_id AND o.part = 0
  ) THEN :object_id ELSE :aside END
ORDER BY part;

-- name: object_page
-- takes: shard bigint, after text, most bigint
-- All objects there are, with those that are aside, in the order of the key.
SELECT object_id, aside_at FROM object
WHERE (shard_id, object_id) > (:shard, :after) AND part = 0
ORDER BY shard_id, object_id LIMIT :most;

-- name: objects_referred
-- rows: ref text
-- takes: shard bigint
-- Which of these objects a row of the shard refers to. This is the list of all columns that do, and
-- a test compares it with the tables. One statement, so that a reference which moves from one table
-- to another is seen in one of them. LIMIT, so that no plan makes a table of its own of all
-- references; `ref:` is `engine.trigger.REF`, and the first from there on, so that none walks a key.
SELECT r.ref FROM {rows} WHERE
  (SELECT 1 FROM run x WHERE x.shard_id = :shard AND x.payload_ref = r.ref LIMIT 1) IS NOT NULL
  OR (SELECT 1 FROM run_done x WHERE x.shard_id = :shard AND x.output_ref = r.ref LIMIT 1) IS NOT NULL
  OR (SELECT 1 FROM journal x WHERE x.shard_id = :shard AND x.data_ref = r.ref LIMIT 1) IS NOT NULL
  OR (SELECT 1 FROM waitpoint x WHERE x.shard_id = :shard AND x.output_ref = r.ref LIMIT 1) IS NOT NULL
  OR (SELECT 1 FROM input x WHERE x.shard_id = :shard AND x.data_ref = r.ref LIMIT 1) IS NOT NULL
  OR (SELECT x.payload FROM debounce x WHERE x.shard_id = :shard AND x.payload >= 'ref:' || r.ref
      AND substr(x.payload, 1, 4) = 'ref:' ORDER BY x.payload LIMIT 1) = 'ref:' || r.ref
  OR (SELECT 1 FROM deployment x WHERE x.shard_id = :shard AND x.bundle_ref = r.ref LIMIT 1) IS NOT NULL
  OR (SELECT 1 FROM deployment x WHERE x.shard_id = :shard AND x.manifest_ref = r.ref LIMIT 1) IS NOT NULL;

-- name: object_spare
-- rows: object_id text
-- takes: shard bigint
-- What is aside of objects that are in their place, too; what is aside alone stays, since somebody
-- else may just have laid it there.
DELETE FROM object WHERE {among object: object_id} AND (
  SELECT 1 FROM object o
  WHERE o.shard_id = :shard AND o.object_id = substr(object.object_id, 1, 64) AND o.part = 0
) IS NOT NULL;

-- name: object_aside
-- rows: object_id text
-- takes: shard bigint, now bigint
UPDATE object SET object_id = object_id || '-', aside_at = :now
WHERE {among object: object_id};

-- name: object_back
-- rows: object_id text
-- takes: shard bigint
-- Put as by a caller, who may do it at the same time.
INSERT INTO object (shard_id, object_id, part, data)
SELECT :shard, r.object_id, o.part, o.data
FROM {rows} {probe object o ON o.shard_id = :shard AND o.object_id = r.object_id || '-'}
WHERE true ON CONFLICT DO NOTHING;

-- name: object_drop
-- rows: object_id text
-- takes: shard bigint
DELETE FROM object WHERE {among object: object_id};

-- name: object_expire
-- rows: object_id text
-- takes: shard bigint, before bigint
DELETE FROM object WHERE {among object: object_id} AND aside_at <= :before;

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
