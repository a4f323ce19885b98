-- What runs write for those who watch them, token by token. A run's chunks go when the run goes.

-- The streams of a run, one row from its first chunk (or announcement) on; nothing is ever updated.
CREATE TABLE stream (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  stream {text} NOT NULL,
  created_at {bigint} NOT NULL,
  change {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id, stream)
){end_keyed};

-- Chunks are numbered from 0 without gaps. The last one of each batch names who wrote it, and its
-- place among all that this writer has sent: by that a repeated batch is known.
CREATE TABLE stream_chunk (
  shard_id {bigint} NOT NULL,
  run_id {text} NOT NULL,
  stream {text} NOT NULL,
  number {bigint} NOT NULL,
  data {text} NOT NULL,
  epoch {bigint} NOT NULL,
  writer {text},
  place {bigint},
  created_at {bigint} NOT NULL,
  PRIMARY KEY (shard_id, run_id, stream, number)
){end_keyed};
CREATE INDEX stream_chunk_by_writer ON stream_chunk (shard_id, run_id, stream, writer, place)
  WHERE writer IS NOT NULL;
