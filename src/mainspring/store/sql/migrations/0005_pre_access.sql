-- Who may ask: keys with a life, people with roles, tokens that are good for once; and who did what.

-- A row without a key_id holds a hash without the server's pepper, from before this step. The first
-- server that starts afterwards replaces it.
ALTER TABLE api_key ADD COLUMN key_id {text} NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN last_four {text} NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN scopes {text} NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN expires_at {bigint};
ALTER TABLE api_key ADD COLUMN revoked_at {bigint};
ALTER TABLE api_key ADD COLUMN used_at {bigint};

-- Values that all servers of a database share. No key that signs is among them, except that on
-- PostgreSQL a pepper that nobody has set is kept here.
CREATE TABLE server_secret (
  name {text} NOT NULL PRIMARY KEY,
  value {text} NOT NULL
){end_keyed};

-- Rotations of what signs an environment's public tokens; the key itself is computed. Before the
-- first row the number is 0. A new number ends all former ones at former_until.
CREATE TABLE signing_key (
  env_id {bigint} NOT NULL,
  number {bigint} NOT NULL,
  created_at {bigint} NOT NULL,
  former_until {bigint} NOT NULL,
  PRIMARY KEY (env_id, number)
){end_keyed};

-- One-time tokens that were used; kept until they would have expired.
CREATE TABLE token_use (
  env_id {bigint} NOT NULL,
  token_hash {text} NOT NULL,
  request {text} NOT NULL,
  used_at {bigint} NOT NULL,
  expires_at {bigint} NOT NULL,
  PRIMARY KEY (env_id, token_hash)
){end_keyed};
-- what may be forgotten
CREATE INDEX token_use_by_expiry ON token_use (expires_at);

CREATE TABLE person (
  person_id {text} NOT NULL PRIMARY KEY,
  name {text} NOT NULL UNIQUE,
  created_at {bigint} NOT NULL
){end_keyed};

-- The environment 0 stands for all of them.
CREATE TABLE person_role (
  person_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  role {text} NOT NULL CHECK (role IN ('viewer', 'operator', 'developer', 'admin')),
  PRIMARY KEY (person_id, env_id)
){end_keyed};

CREATE TABLE person_token (
  token_hash {text} NOT NULL PRIMARY KEY,
  person_id {text} NOT NULL,
  last_four {text} NOT NULL,
  created_at {bigint} NOT NULL,
  expires_at {bigint}
){end_keyed};

-- Append only; each hash covers the entry and the hash before it.
CREATE TABLE audit (
  number {bigint} NOT NULL PRIMARY KEY,
  at {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  who {text} NOT NULL,
  what {text} NOT NULL,
  target {text} NOT NULL,
  origin {text} NOT NULL,
  request_id {text} NOT NULL,
  hash {text} NOT NULL
){end};
