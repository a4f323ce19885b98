-- Ownership of shards and the servers' lease rows.

-- name: shard_make
-- takes: shard bigint
INSERT INTO shard (shard_id, owner, epoch) VALUES (:shard, '', 0) ON CONFLICT DO NOTHING;

-- name: shard_lock
-- takes: shard bigint
-- FOR UPDATE waits for every commit in flight, which holds FOR KEY SHARE; a plain UPDATE would not.
SELECT epoch FROM shard WHERE shard_id = :shard {for_update};

-- name: shard_take
-- takes: shard bigint, owner text
-- An older release raises the epoch alone, and writes no leases under it.
UPDATE shard SET owner = :owner, epoch = epoch + 1, kept_epoch = epoch + 1,
  kept_since = CASE WHEN kept_epoch = epoch THEN kept_since ELSE epoch + 1 END
WHERE shard_id = :shard RETURNING epoch;

-- name: shard_take_from
-- takes: shard bigint, owner text, former text
UPDATE shard SET owner = :owner, epoch = epoch + 1, kept_epoch = epoch + 1,
  kept_since = CASE WHEN kept_epoch = epoch THEN kept_since ELSE epoch + 1 END
WHERE shard_id = :shard AND owner = :former RETURNING epoch;

-- name: shard_give
-- takes: shard bigint, owner text, former text, epoch bigint
UPDATE shard SET owner = :owner, epoch = epoch + 1, kept_epoch = epoch + 1,
  kept_since = CASE WHEN kept_epoch = epoch THEN kept_since ELSE epoch + 1 END
WHERE shard_id = :shard AND owner = :former AND epoch = :epoch RETURNING epoch;

-- name: shard_owners
SELECT shard_id, owner, epoch FROM shard ORDER BY shard_id;

-- name: shard_leave
-- takes: server text
UPDATE shard SET owner = '' WHERE owner = :server;

-- name: server_register
-- takes: server text, address text, uptime bigint, node bigint
INSERT INTO server (server_id, address, beat, uptime_ms, node)
VALUES (:server, :address, 0, :uptime, :node)
ON CONFLICT (server_id) DO UPDATE
SET address = excluded.address, beat = server.beat + 1, uptime_ms = excluded.uptime_ms,
  node = excluded.node;

-- name: server_beat
-- takes: server text, uptime bigint
UPDATE server SET beat = beat + 1, uptime_ms = :uptime WHERE server_id = :server;

-- name: server_beats
SELECT server_id, beat, uptime_ms FROM server ORDER BY server_id;

-- name: server_hosts
SELECT server_id, address, node FROM server ORDER BY server_id;

-- name: server_forget
-- takes: server text, beat bigint
DELETE FROM server WHERE server_id = :server AND beat = :beat;

-- name: server_leave
-- takes: server text
DELETE FROM server WHERE server_id = :server;

-- name: clock
SELECT {now} AS now;
