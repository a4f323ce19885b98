"""What every store does with the numbers of commits. Subclass it in a test module and give a
fixture `store` with an open, empty store.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mainspring.store.changes import Changes
from mainspring.store.protocol import Store
from mainspring.testing.store_rows import Shard


class Numbered:
    """One run, and commits on it whose numbers count up from 1."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.run_id = ""
        self.made = 0

    async def commit(self, fill: Callable[[Changes], None]) -> None:
        """The next commit, filled in by the caller."""
        self.made += 1
        changes = self.shard.changes()
        changes.change = self.made
        fill(changes)
        await self.shard.commit(changes)

    async def change(self) -> int:
        """The number of the run, as a reader gets it."""
        [run] = await self.shard.store.runs.many(self.shard.shard_id, [self.run_id])
        return run.change

    async def queued(self) -> None:
        """Make the run, ready to be claimed: commit 1."""
        [self.run_id] = self.shard.ids(1)

        def fill(changes: Changes) -> None:
            self.shard.run(changes, self.run_id)
            self.shard.ready(changes, self.run_id)

        await self.commit(fill)

    async def claimed(self) -> None:
        """The next commit claims it."""
        await self.commit(lambda changes: changes.claim.append((self.run_id, "session", "")))


class ChangeContract:
    """A run's number is that of the last commit that changed what a reader sees of it."""

    async def test_a_run_has_the_number_of_its_first_commit(self, store: Store) -> None:
        runs = Numbered(await Shard.taken(store))
        await runs.queued()
        assert await runs.change() == 1

    async def test_a_run_that_starts_at_once_has_it_too(self, store: Store) -> None:
        shard = await Shard.taken(store)
        runs = Numbered(shard)
        [runs.run_id] = shard.ids(1)

        def fill(changes: Changes) -> None:
            shard.run(changes, runs.run_id)
            shard.start(changes, runs.run_id)

        runs.made = 40 << 36
        await runs.commit(fill)
        assert await runs.change() == (40 << 36) + 1

    async def test_a_run_s_number_is_the_greatest_of_its_parts(self, store: Store) -> None:
        shard = await Shard.taken(store)
        runs = Numbered(shard)
        await runs.queued()
        run_id = runs.run_id

        def parked(changes: Changes) -> None:
            changes.drop_active.append((run_id, 1))
            shard.park(changes, run_id, "retry")

        def ready(changes: Changes) -> None:
            changes.drop_parked.append((run_id,))
            shard.ready(changes, run_id, epoch=1)

        def done(changes: Changes) -> None:
            changes.drop_active.append((run_id, 2))
            shard.done(changes, run_id, epoch=2)

        document = (run_id, '{"a":2}', shard.now, 1, 1)
        for fill in (
            lambda changes: changes.tag.append((shard.env_id, "red", run_id)),
            lambda changes: changes.metadata.append((run_id, '{"a":1}', shard.now)),
            lambda changes: changes.payload.append((run_id, '"new"', None)),
            lambda changes: changes.options.append((run_id, '{"has_metadata":true}')),
            lambda changes: changes.claim.append((run_id, "session", "")),
            lambda changes: changes.document.append(document),
            lambda changes: changes.cancel.append((run_id, 1, shard.now)),
            parked,
            ready,
            lambda changes: changes.claim.append((run_id, "session", "")),
            done,
            lambda changes: changes.tag.append((shard.env_id, "blue", run_id)),
        ):
            await runs.commit(fill)
            assert await runs.change() == runs.made

    async def test_what_no_reader_of_a_run_sees_leaves_its_number(self, store: Store) -> None:
        runs = Numbered(await Shard.taken(store))
        await runs.queued()
        await runs.claimed()
        row = (runs.run_id, "a", 0, "step", 1, "completed", "1", 1, 2, 1, None, "")
        await runs.commit(lambda changes: changes.journal.append(row))
        await runs.commit(lambda changes: changes.timer.append((5, "wait:a", runs.run_id)))
        assert await runs.change() == 2

    async def test_each_run_of_a_commit_has_its_number(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids = await shard.queued(3)
        changes = shard.changes()
        changes.change = 9
        changes.claim = [(run_id, "session", "") for run_id in ids[:2]]
        await shard.commit(changes)
        runs = await store.runs.many(shard.shard_id, ids)
        assert {run.id: run.change for run in runs} == {ids[0]: 9, ids[1]: 9, ids[2]: 0}

    @pytest.mark.parametrize("number", [1, (1 << 36) - 1, (1 << 62) + 5])
    async def test_numbers_are_kept_exactly(self, store: Store, number: int) -> None:
        runs = Numbered(await Shard.taken(store))
        runs.made = number - 1
        await runs.queued()
        assert await runs.change() == number


class LatestContract:
    """Which runs a list that is watched begins with."""

    async def test_they_are_the_newest_of_their_environment(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids = await shard.queued(3)
        other = Shard(store, shard.shard_id, shard.env_id + 1, now=shard.now + 10)
        other.epoch = shard.epoch
        await other.queued(1)
        latest = store.runs.latest
        assert await latest(shard.shard_id, shard.env_id, (), None, 9) == ids[::-1]
        assert await latest(shard.shard_id, shard.env_id, (), None, 2) == ids[:0:-1]

    async def test_they_have_all_tags(self, store: Store) -> None:
        shard = await Shard.taken(store)
        one, two, three, four = await shard.queued(4)
        changes = shard.changes()
        for tag, run_ids in {"a": (one, two, four), "b": (two, three, four)}.items():
            changes.tag += [(shard.env_id, tag, run_id) for run_id in run_ids]
        changes.tag.append((shard.env_id + 1, "a", three))
        await shard.commit(changes)
        latest = store.runs.latest
        for tags, found in {
            ("a",): [four, two, one],
            ("a", "b"): [four, two],
            ("b", "a"): [four, two],
            ("a", "c"): [],
        }.items():
            assert await latest(shard.shard_id, shard.env_id, tags, None, 9) == found
        assert await latest(shard.shard_id, shard.env_id, ("b",), None, 1) == [four]

    async def test_they_are_those_of_a_batch(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids = await shard.queued(3, batch_id="batch_a")
        await shard.queued(1, batch_id="batch_b")
        latest = store.runs.latest
        assert await latest(shard.shard_id, shard.env_id, (), "batch_a", 9) == ids[::-1]
        assert await latest(shard.shard_id, shard.env_id, (), "batch_a", 1) == ids[2:]
        assert await latest(shard.shard_id, shard.env_id + 1, (), "batch_a", 9) == []
