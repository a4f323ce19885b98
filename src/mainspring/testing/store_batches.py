"""What every store keeps of batches and repeatable requests, as a test class; see
`testing.store_contract`.
"""

from __future__ import annotations

import pytest

from mainspring.errors import CommitRejected
from mainspring.store.batching import BatchRow, ItemRow, RequestRow
from mainspring.store.protocol import Store
from mainspring.testing.store_rows import NOW, Shard


class BatchesContract:
    """Batches and their items, and what requests led to."""

    async def test_a_batch_keeps_what_it_was_made_with_and_counts_on(self, store: Store) -> None:
        shard = await Shard.taken(store)
        made = BatchRow("batch_1", shard.env_id, 0, 0, 0, "run_p", "k", "shown", NOW, NOW, None)
        later = BatchRow(
            "batch_1", shard.env_id, 3, 3, 1, "other", "x", "y", NOW + 9, NOW + 5, NOW + 5
        )
        for row in (made, later):
            changes = shard.changes()
            changes.batch = [columns(row)]
            await shard.commit(changes)
        [found] = await store.batches.many(shard.shard_id, ["batch_1", "batch_2"])
        assert found == BatchRow(
            "batch_1", shard.env_id, 3, 3, 1, "run_p", "k", "shown", NOW, NOW + 5, NOW + 5
        )

    async def test_items_are_found_by_their_number_and_in_order(self, store: Store) -> None:
        shard = await Shard.taken(store)
        rows = [ItemRow("batch_1", n, f"run_{n}", "t", None, None) for n in (2, 0)]
        rows.append(ItemRow("batch_1", 1, None, "u", "No such task.", "UNKNOWN_TASK"))
        rows.append(ItemRow("batch_2", 0, "run_9", "t", None, None))
        changes = shard.changes()
        changes.batch_item = [columns(row) for row in rows]
        await shard.commit(changes)
        batches, shard_id = store.batches, shard.shard_id
        assert await batches.page(shard_id, "batch_1", -1, 9) == [rows[1], rows[2], rows[0]]
        assert await batches.page(shard_id, "batch_1", 0, 1) == [rows[2]]
        assert await batches.items(shard_id, [("batch_1", 2), ("batch_1", 3)]) == [rows[0]]
        assert await batches.items(shard_id, []) == []

    async def test_no_item_is_there_twice(self, store: Store) -> None:
        shard = await Shard.taken(store)
        for _ in range(2):
            changes = shard.changes()
            changes.batch_item = [("batch_1", 0, "run_1", "t", None, None)]
            if await store.batches.items(shard.shard_id, [("batch_1", 0)]):
                with pytest.raises(CommitRejected):
                    await shard.commit(changes)
            else:
                await shard.commit(changes)

    async def test_the_first_run_that_has_not_ended_is_found(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ended, live = await shard.ended(2), await shard.queued(1)
        changes = shard.changes()
        changes.batch_item = [
            ("batch_1", 0, ended[0], "t", None, None),
            ("batch_1", 1, None, "t", "bad", "INVALID_PAYLOAD"),
            ("batch_1", 2, live[0], "t", None, None),
            ("batch_1", 3, ended[1], "t", None, None),
            ("batch_2", 0, ended[1], "t", None, None),
        ]
        await shard.commit(changes)
        first_open, shard_id = store.batches.first_open, shard.shard_id
        assert await first_open(shard_id, "batch_1", 0) == 2
        assert await first_open(shard_id, "batch_1", 2) == 2
        assert await first_open(shard_id, "batch_1", 3) is None
        assert await first_open(shard_id, "batch_2", 0) is None

    async def test_the_first_answer_of_a_request_stays(self, store: Store) -> None:
        shard = await Shard.taken(store)
        for answer in ("run_1", "run_2"):
            changes = shard.changes()
            changes.request = [(7, shard.env_id, "k", answer)]
            await shard.commit(changes)
        wanted = [(slot, shard.env_id, "k") for slot in (6, 7)]
        expected = [RequestRow(shard.env_id, "k", "run_1")]
        assert await store.batches.requests(shard.shard_id, wanted) == expected
        assert await store.batches.requests(shard.shard_id, [(7, shard.env_id + 1, "k")]) == []

    async def test_old_requests_are_forgotten_bit_by_bit(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.request = [
            (slot, shard.env_id, f"k{n}", "run_1") for slot in (5, 6, 7) for n in (1, 2)
        ]
        await shard.commit(changes)
        forget, shard_id = store.batches.forget_requests, shard.shard_id
        assert [await forget(shard_id, 7, 3) for _ in range(3)] == [3, 1, 0]
        kept = await store.batches.requests(shard_id, [row[:3] for row in changes.request])
        assert {row.key for row in kept} == {"k1", "k2"}


def columns(row: BatchRow | ItemRow) -> tuple[object, ...]:
    """The row as a commit takes it."""
    return tuple(getattr(row, name) for name in row.__struct_fields__)
