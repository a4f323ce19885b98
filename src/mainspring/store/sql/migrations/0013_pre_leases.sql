-- Leases of worker sessions, which outlive the owner that has granted them.

-- The server's own monotonic clock at its last beat, in milliseconds; NULL = it keeps no leases.
ALTER TABLE server ADD COLUMN uptime_ms {bigint};

-- When a session was heard of last, on the monotonic clock of the server that owned the shard then.
-- `epoch` is the shard's at that time: rows of an older owner than the last one say nothing.
CREATE TABLE session (
  shard_id {bigint} NOT NULL,
  session_id {text} NOT NULL,
  server_id {text} NOT NULL,
  epoch {bigint} NOT NULL,
  heard_ms {bigint} NOT NULL,
  PRIMARY KEY (shard_id, session_id)
){end_hot};
