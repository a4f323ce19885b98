-- What was written to the archive before it was deleted, and where it is there.

-- One row for each archive of a shard: `writing` until all its files are durable, `written` until
-- the rows that they hold are deleted, then `dropped`. `place` is where archives went then, `files`
-- JSON of what there is of it. The ids of what it holds lie between the first and the last one.
CREATE TABLE archive (
  shard_id {bigint} NOT NULL,
  archive_id {text} NOT NULL,
  kind {text} NOT NULL CHECK (kind IN ('runs', 'batches')),
  state {text} NOT NULL CHECK (state IN ('writing', 'written', 'dropped')),
  place {text} NOT NULL,
  first_id {text} NOT NULL,
  last_id {text} NOT NULL,
  files {text} NOT NULL,
  created_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, archive_id)
){end_keyed};
-- in which archive a run may be
CREATE INDEX archive_by_last ON archive (shard_id, last_id);
-- what a server that has died had begun
CREATE INDEX archive_open ON archive (shard_id, archive_id) WHERE state <> 'dropped';
