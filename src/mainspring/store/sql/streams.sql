-- What runs write for those who watch them. The first two are lists of a commit.

-- name: stream
-- rows: run_id text, stream text, created_at bigint
-- takes: shard bigint, change bigint
INSERT INTO stream (shard_id, run_id, stream, created_at, change)
SELECT :shard, r.run_id, r.stream, r.created_at, :change
FROM {rows} WHERE true ON CONFLICT DO NOTHING;

-- name: chunk
-- rows: run_id text, stream text, number bigint, data text, epoch bigint, writer text, place bigint, created_at bigint
-- takes: shard bigint
INSERT INTO stream_chunk (shard_id, run_id, stream, number, data, epoch, writer, place, created_at)
SELECT :shard, r.run_id, r.stream, r.number, r.data, r.epoch, r.writer, r.place, r.created_at
FROM {rows};

-- name: streams_heads
-- rows: run_id text, stream text, writer text
-- takes: shard bigint
SELECT r.run_id, r.stream, r.writer,
  coalesce((
    SELECT max(c.number) FROM stream_chunk c
    WHERE c.shard_id = :shard AND c.run_id = r.run_id AND c.stream = r.stream), -1) + 1 AS next,
  coalesce((
    SELECT max(w.place) FROM stream_chunk w
    WHERE w.shard_id = :shard AND w.run_id = r.run_id AND w.stream = r.stream
      AND w.writer = r.writer AND w.writer IS NOT NULL), -1) AS place
FROM {rows};

-- name: streams_chunks
-- takes: shard bigint, run_id text, stream text, first bigint, most bigint
SELECT number, data, epoch, created_at FROM stream_chunk
WHERE shard_id = :shard AND run_id = :run_id AND stream = :stream AND number >= :first
ORDER BY number LIMIT :most;

-- name: streams_inputs
-- takes: shard bigint, run_id text, stream text, first bigint, most bigint
-- Inputs are numbered from 1, and read as chunks are.
SELECT number - 1 AS number, data, data_ref, created_at FROM input
WHERE shard_id = :shard AND run_id = :run_id AND stream = :stream AND number > :first
ORDER BY number LIMIT :most;

-- name: streams_place
-- takes: shard bigint, run_id text
-- Whose run it is, and its final status or ''.
SELECT n.env_id, n.task, n.batch_id, n.parent_id, n.root_id, coalesce(d.status, '') AS status,
  CAST((
    SELECT {json_group}(t.tag) FROM run_tag t
    WHERE t.shard_id = :shard AND t.run_id = n.run_id
  ) AS text) AS tags
FROM run n LEFT JOIN run_done d ON d.shard_id = n.shard_id AND d.run_id = n.run_id
WHERE n.shard_id = :shard AND n.run_id = :run_id;
