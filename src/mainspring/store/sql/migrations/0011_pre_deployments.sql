-- Versions whose code the server keeps, and which of them new runs get.

-- A row without `bundle_ref` is a version that only workers have announced. The bundle (base64 of a
-- tar.gz) and what it declares (JSON) are objects; `bundle_hash` is the SHA-256 of the tar.gz.
ALTER TABLE deployment ADD COLUMN external_id {text};
ALTER TABLE deployment ADD COLUMN bundle_ref {text};
ALTER TABLE deployment ADD COLUMN bundle_hash {text} NOT NULL DEFAULT '';
ALTER TABLE deployment ADD COLUMN bundle_size {bigint} NOT NULL DEFAULT 0;
ALTER TABLE deployment ADD COLUMN manifest_ref {text};
ALTER TABLE deployment ADD COLUMN runtime {text} NOT NULL DEFAULT '';
-- one deployment for each id of somebody else's, such as a commit
CREATE UNIQUE INDEX deployment_by_external ON deployment (shard_id, env_id, external_id)
  WHERE external_id IS NOT NULL;

-- Insert only. The row with the greatest number says which version new runs of the environment get;
-- the version '' means any.
CREATE TABLE promotion (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  number {bigint} NOT NULL,
  version {text} NOT NULL,
  promoted_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, env_id, number)
){end_keyed};
