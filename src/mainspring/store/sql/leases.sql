-- Leases of worker sessions. Written by the shard's owner, with its fence; read at a takeover.

-- name: lease_rows
-- takes: shard bigint
-- Those of before an owner that wrote none say nothing: it may have heard of the sessions later.
SELECT session_id, server_id, epoch, heard_ms FROM session
WHERE shard_id = :shard
  AND epoch >= (SELECT kept_since FROM shard WHERE shard_id = :shard)
ORDER BY session_id;

-- name: lease_heard
-- rows: session_id text, heard_ms bigint
-- takes: shard bigint, server text, epoch bigint
INSERT INTO session (shard_id, session_id, server_id, epoch, heard_ms)
SELECT :shard, r.session_id, :server, :epoch, r.heard_ms FROM {rows} WHERE true
ON CONFLICT (shard_id, session_id) DO UPDATE
SET server_id = excluded.server_id, epoch = excluded.epoch, heard_ms = excluded.heard_ms;

-- name: lease_over
-- rows: session_id text
-- takes: shard bigint
DELETE FROM session WHERE {among session: session_id};

-- name: lease_older
-- takes: shard bigint, epoch bigint
DELETE FROM session WHERE shard_id = :shard AND epoch < :epoch;
