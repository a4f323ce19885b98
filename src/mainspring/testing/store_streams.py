"""What every store keeps of the streams of runs, as a test class; see `testing.store_contract`."""

from __future__ import annotations

import pytest

from mainspring.errors import CommitRejected
from mainspring.store.protocol import Store
from mainspring.store.streaming import ChunkRow, HeadRow, RecordRow
from mainspring.testing.store_rows import NOW, Shard


class StreamsContract:
    """Chunks by their numbers, and who has written how far."""

    async def test_chunks_are_read_from_any_number_on_in_order(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.stream = [("run_1", "a", NOW), ("run_1", "b", NOW)]
        changes.chunk = [
            ("run_1", "a", 1, '"\\"x\\""', 2, "@2", 0, NOW + 1),
            ("run_1", "a", 0, "{}", 1, "@1", 0, NOW),
            ("run_1", "b", 0, "7", 0, None, None, NOW),
            ("run_1", "a", 2, "null", 2, None, None, NOW + 1),
        ]
        await shard.commit(changes)
        rows = [
            ChunkRow(0, "{}", 1, NOW),
            ChunkRow(1, '"\\"x\\""', 2, NOW + 1),
            ChunkRow(2, "null", 2, NOW + 1),
        ]
        for first in range(5):
            for limit in (1, 2, 9):
                found = await store.streams.chunks(shard.shard_id, "run_1", "a", first, limit)
                assert found == rows[first : first + limit]
        assert await store.streams.chunks(shard.shard_id, "run_2", "a", 0, 9) == []

    async def test_a_head_tells_the_next_number_and_how_far_a_writer_is(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.chunk = [
            ("run_1", "a", 0, "0", 1, None, None, NOW),
            ("run_1", "a", 1, "1", 1, "@1", 1, NOW),
            ("run_1", "a", 2, "2", 0, "part:x", 0, NOW),
            ("run_1", "a", 3, "3", 1, "@1", 2, NOW),
            ("run_1", "b", 0, "4", 1, "@1", 9, NOW),
        ]
        await shard.commit(changes)
        wanted = [
            ("run_1", "a", "@1"), ("run_1", "a", "@2"), ("run_1", "a", "part:x"),
            ("run_1", "b", "@1"), ("run_2", "a", "@1"),
        ]  # fmt: skip
        found = await store.streams.heads(shard.shard_id, wanted)
        found.sort(key=lambda row: (row.run_id, row.stream, row.writer))
        assert found == [
            HeadRow("run_1", "a", "@1", 4, 2),
            HeadRow("run_1", "a", "@2", 4, -1),
            HeadRow("run_1", "a", "part:x", 4, 0),
            HeadRow("run_1", "b", "@1", 1, 9),
            HeadRow("run_2", "a", "@1", 0, -1),
        ]

    async def test_a_number_is_given_once(self, store: Store) -> None:
        shard = await Shard.taken(store)
        for data in ("1", "2"):
            changes = shard.changes()
            changes.chunk = [("run_1", "a", 0, data, 1, "@1", 0, NOW)]
            if data == "1":
                await shard.commit(changes)
            else:
                with pytest.raises(CommitRejected):
                    await shard.commit(changes)
        found = await store.streams.chunks(shard.shard_id, "run_1", "a", 0, 9)
        assert [row.data for row in found] == ["1"]

    async def test_the_names_of_a_run_s_streams_stand_beside_it(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id, other], changes = shard.ids(2), shard.changes()
        shard.run(changes, run_id)
        shard.run(changes, other)
        changes.stream = [(run_id, "b", NOW), (run_id, "a", NOW)]
        changes.change = 7
        await shard.commit(changes)
        changes = shard.changes()
        changes.stream = [(run_id, "b", NOW + 5)]
        changes.change = 9
        await shard.commit(changes)
        first, second = await store.runs.many(shard.shard_id, [run_id, other])
        if first.id != run_id:
            first, second = second, first
        assert (first.streams, first.change) == (("a", "b"), 7)
        assert second.streams == ()

    async def test_inputs_are_read_as_chunks_are(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.input = [
            ("run_1", "chat", 1, '"a"', None, NOW),
            ("run_1", "chat", 2, None, "ref", NOW + 1),
        ]
        await shard.commit(changes)
        read = store.streams.records
        assert await read(shard.shard_id, "run_1", "chat", 0, 9) == [
            RecordRow(0, '"a"', None, NOW),
            RecordRow(1, None, "ref", NOW + 1),
        ]
        assert await read(shard.shard_id, "run_1", "chat", 1, 9) == [
            RecordRow(1, None, "ref", NOW + 1)
        ]
        assert await read(shard.shard_id, "run_1", "chat", 0, 1) == [RecordRow(0, '"a"', None, NOW)]

    async def test_a_run_is_placed_with_its_relatives_tags_and_end(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id, parent_id="run_p", root_id="run_r", batch_id="batch_1")
        shard.ready(changes, run_id)
        changes.tag = [(shard.env_id, "x", run_id)]
        await shard.commit(changes)
        found = await store.streams.place(shard.shard_id, run_id)
        assert found is not None
        assert (found.env_id, found.task, found.status) == (shard.env_id, "t", "")
        assert (found.parent_id, found.root_id, found.batch_id) == ("run_p", "run_r", "batch_1")
        assert found.tags == '["x"]'
        changes = shard.changes()
        changes.drop_ready = [(run_id,)]
        shard.done(changes, run_id)
        await shard.commit(changes)
        ended = await store.streams.place(shard.shard_id, run_id)
        assert ended is not None
        assert ended.status == "completed"
        assert await store.streams.place(shard.shard_id, "run_x") is None
