-- Large texts, what clients upload before they trigger with it, and variables for workers.

-- Payloads, outputs and results over 64 KiB, named by the hash of their text, in parts. On a SQLite
-- file they lie in a directory beside it instead. The shard follows from the hash: equal texts of
-- all shards are one object.
CREATE TABLE object (
  shard_id {bigint} NOT NULL,
  object_id {text} NOT NULL,
  part {bigint} NOT NULL,
  data {text} NOT NULL,
  PRIMARY KEY (shard_id, object_id, part)
){end};

-- Gone after a day, whether a run was made of it or not: a run keeps its payload itself. `parts` is
-- how many parts the last upload to that path has.
CREATE TABLE upload (
  shard_id {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  path {text} NOT NULL,
  part {bigint} NOT NULL,
  parts {bigint} NOT NULL,
  type {text} NOT NULL,
  data {text} NOT NULL,
  created_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, env_id, path, part)
){end};

-- What workers get at their start. `sealed` is base64 of nonce, ciphertext and tag of AES-256-GCM
-- under the key `key_id`; it opens under its own environment and name only.
CREATE TABLE env_var (
  env_id {bigint} NOT NULL,
  name {text} NOT NULL,
  sealed {text} NOT NULL,
  key_id {text} NOT NULL,
  is_secret {bigint} NOT NULL,
  updated_at {bigint} NOT NULL,
  PRIMARY KEY (env_id, name)
){end_keyed};
