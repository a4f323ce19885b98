-- The number of the commit that wrote a row last, for everything that a subscriber can see of a run;
-- a run's own number is the greatest of its rows'. They grow in the order of commits of a shard.

ALTER TABLE run ADD COLUMN change {bigint} NOT NULL DEFAULT 0;
ALTER TABLE ready ADD COLUMN change {bigint} NOT NULL DEFAULT 0;
ALTER TABLE active ADD COLUMN change {bigint} NOT NULL DEFAULT 0;
ALTER TABLE parked ADD COLUMN change {bigint} NOT NULL DEFAULT 0;
ALTER TABLE run_done ADD COLUMN change {bigint} NOT NULL DEFAULT 0;
ALTER TABLE metadata ADD COLUMN change {bigint} NOT NULL DEFAULT 0;
ALTER TABLE run_tag ADD COLUMN change {bigint} NOT NULL DEFAULT 0;

-- the tags of a run with the greatest number among them, from the index alone
DROP INDEX run_tag_by_run;
CREATE INDEX run_tag_by_run ON run_tag (shard_id, run_id, tag, change);
