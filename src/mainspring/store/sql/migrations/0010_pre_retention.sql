-- What is deleted with a run is found by the run.

-- the marks of a run; few runs have any
CREATE INDEX run_mark_by_run ON run_mark (shard_id, run_id);
