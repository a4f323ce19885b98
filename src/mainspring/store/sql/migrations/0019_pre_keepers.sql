-- Whether the leases of a shard's sessions are all in the rows, whoever has owned it.

-- The last epoch that a server which writes leases has begun, and the first of those that followed
-- one another without one of a server that does not. Leases from then on are to be believed.
ALTER TABLE shard ADD COLUMN kept_epoch {bigint} NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN kept_since {bigint} NOT NULL DEFAULT 0;
