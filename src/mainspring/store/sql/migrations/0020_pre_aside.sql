-- Objects that nothing refers to any more are laid aside, and deleted when that is still so later.

-- When it was laid aside, under its name with a `-` behind; NULL = it is in its place.
ALTER TABLE object ADD COLUMN aside_at {bigint};

-- Whether anything refers to an object: see `objects_referred`. Few rows hold a reference.
CREATE INDEX run_by_payload ON run (shard_id, payload_ref) WHERE payload_ref IS NOT NULL;
CREATE INDEX run_done_by_output ON run_done (shard_id, output_ref) WHERE output_ref IS NOT NULL;
CREATE INDEX journal_by_data ON journal (shard_id, data_ref) WHERE data_ref IS NOT NULL;
CREATE INDEX waitpoint_by_output ON waitpoint (shard_id, output_ref) WHERE output_ref IS NOT NULL;
CREATE INDEX input_by_data ON input (shard_id, data_ref) WHERE data_ref IS NOT NULL;
CREATE INDEX debounce_by_payload ON debounce (shard_id, payload)
  WHERE substr(payload, 1, 4) = 'ref:';
CREATE INDEX deployment_by_bundle ON deployment (shard_id, bundle_ref)
  WHERE bundle_ref IS NOT NULL;
CREATE INDEX deployment_by_manifest ON deployment (shard_id, manifest_ref)
  WHERE manifest_ref IS NOT NULL;
