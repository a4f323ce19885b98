-- Batches that are filled item by item, and requests that clients may repeat.

CREATE TABLE batch (
  shard_id {bigint} NOT NULL,
  batch_id {text} NOT NULL,
  env_id {bigint} NOT NULL,
  -- how many items it is to have; 0 until its maker knows
  run_count {bigint} NOT NULL,
  -- how many are in, those that became no run (`failed`) included
  received {bigint} NOT NULL,
  failed {bigint} NOT NULL,
  parent_id {text},
  idempotency_key {text},
  idempotency_shown {text},
  created_at {bigint} NOT NULL,
  updated_at {bigint} NOT NULL,
  -- when the last item was in; no more are taken
  sealed_at {bigint},
  PRIMARY KEY (shard_id, batch_id)
){end_hot};

-- Insert only. An item is a run, which an idempotency key may have made earlier, or says why not.
CREATE TABLE batch_item (
  shard_id {bigint} NOT NULL,
  batch_id {text} NOT NULL,
  number {bigint} NOT NULL,
  run_id {text},
  task {text} NOT NULL,
  error {text},
  code {text},
  PRIMARY KEY (shard_id, batch_id, number)
){end_keyed};

-- What a request of a client led to, by the key that its repeats share. A slot is an hour: the slot
-- before the last is deleted as a whole, and no row needs a second index for its end.
CREATE TABLE request (
  shard_id {bigint} NOT NULL,
  slot {bigint} NOT NULL,
  env_id {bigint} NOT NULL,
  key {text} NOT NULL,
  answer {text} NOT NULL,
  PRIMARY KEY (shard_id, slot, env_id, key)
){end_live};
