"""What every store keeps of journals and waits, as test classes; see `testing.store_contract`."""

from __future__ import annotations

from typing import Any

from mainspring.store.changes import Changes
from mainspring.store.protocol import Store
from mainspring.store.waiting import EdgeRow, EndRow, JournalRow
from mainspring.testing.store_rows import NOW, Shard


def entry(changes: Changes, run_id: str, key: str, **given: Any) -> None:
    """Add a row of `journal`; the keywords are its columns."""
    row = {
        "run_id": run_id,
        "key": key,
        "generation": 0,
        "kind": "step",
        "epoch": 1,
        "status": "completed",
        "data": "1",
        "started_at": NOW,
        "ended_at": NOW + 1,
        "seq": 1,
        "data_ref": None,
        "fingerprint": "",
    }
    assert given.keys() <= row.keys(), given
    changes.journal.append(tuple((row | given).values()))


def edge(changes: Changes, run_id: str, key: str, waitpoint_id: str, **given: Any) -> None:
    """Add a row of `edge`; the keywords are its columns."""
    row = {
        "run_id": run_id,
        "key": key,
        "waitpoint_id": waitpoint_id,
        "kind": "run",
        "generation": 0,
        "seq": 1,
        "due_at": 0,
        "data": None,
        "fingerprint": "",
        "created_at": NOW,
    }
    assert given.keys() <= row.keys(), given
    changes.edge.append(tuple((row | given).values()))


async def losses(store: Store, shard: Shard, *ids: str) -> dict[str, tuple[int, int, int]]:
    """How often these runs have lost their workers: in all, alone, killed."""
    found = await store.waits.losses(shard.shard_id, ids)
    return {run_id: (row.losses, row.alone, row.killed) for run_id, row in found.items()}


class JournalsContract:
    """Entries of runs, by key and as a whole."""

    async def test_an_entry_comes_back_as_it_went_and_the_first_stays(self, store: Store) -> None:
        shard = await Shard.taken(store)
        for data, ref in (("1", None), (None, "object")):
            changes = shard.changes()
            entry(changes, "run", "a", data=data, data_ref=ref, seq=7, fingerprint="f", epoch=3)
            entry(changes, "run", "a", generation=2, data=None, data_ref="object", ended_at=None)
            await shard.commit(changes)
        wanted = [("run", "a", 0), ("run", "a", 1), ("run", "a", 2), ("other", "a", 0)]
        found = await store.waits.entries(shard.shard_id, wanted)
        assert sorted(found, key=lambda row: row.generation) == [
            JournalRow(
                *("run", "a", 0, "step", 3, "completed", "1"), *(NOW, NOW + 1, 7, None, "f")
            ),
            JournalRow(
                *("run", "a", 2, "step", 1, "completed", None), *(NOW, None, 1, "object", "")
            ),
        ]

    async def test_a_history_is_in_order_and_of_the_present_generation(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        entry(changes, "one", "b", seq=2)
        entry(changes, "one", "c", seq=1)
        entry(changes, "one", "a", seq=2)
        entry(changes, "one", "!attempt:1", kind="attempt", status="failed")
        entry(changes, "two", "old")
        entry(changes, "two", "!attempt:1", kind="attempt", status="failed", seq=9)
        for generation in (1, 2):
            entry(changes, "two", "!start", generation=generation, seq=0)
            entry(changes, "two", "new", generation=generation)
        await shard.commit(changes)
        rows = await store.waits.history(shard.shard_id, ["one", "two", "none"])
        assert [(row.run_id, row.key, row.generation) for row in rows] == [
            ("one", "!attempt:1", 0),
            ("one", "c", 0),
            ("one", "a", 0),
            ("one", "b", 0),
            ("two", "!start", 2),
            ("two", "new", 2),
            ("two", "!attempt:1", 0),
        ]
        assert await store.waits.generations(shard.shard_id, ["one", "two"]) == {"two": 2}

    async def test_losses_are_counted_from_the_epoch_of_the_last_entry(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        for epoch in range(1, 9):
            entry(changes, "one", f"!lost:{epoch}", kind="lost", status="failed", epoch=epoch)
        entry(changes, "one", "!attempt:8", kind="attempt", epoch=8)
        entry(changes, "one", "0/charge#1", epoch=6)
        entry(changes, "one", "0/mail#1", epoch=2)
        await shard.commit(changes)
        assert await losses(store, shard, "one") == {"one": (3, 0, 0)}

    async def test_losses_are_counted_and_not_taken_for_steps(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        for epoch in (2, 3, 11):
            how = {2: "alone", 3: "killed"}.get(epoch, "")
            entry(changes, "one", f"!lost:{epoch}", kind="lost", status="failed", fingerprint=how)
        for key in ("!lost", "!losu", "lost:1", "!attempt:2"):
            entry(changes, "two", key)
        await shard.commit(changes)
        assert await losses(store, shard, "one", "two", "none") == {"one": (3, 1, 1)}

    async def test_another_shard_sees_none_of_it(self, store: Store) -> None:
        one, two = await Shard.taken(store, "dev"), await Shard.taken(store, "prod")
        changes = one.changes()
        entry(changes, "run", "a")
        edge(changes, "run", "a", "child", data="foreign")
        await one.commit(changes)
        assert await store.waits.history(two.shard_id, ["run"]) == []
        assert await store.waits.on(two.shard_id, ["child"]) == []
        assert await store.waits.of_runs(two.shard_id, ["run"]) == []
        assert await store.waits.foreign(two.shard_id) == []


class WaitsContract:
    """Who waits for what."""

    async def test_waits_are_found_by_run_and_by_what_they_wait_for(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        edge(changes, "one", "all", "child-1", seq=4, due_at=NOW + 5, fingerprint="f")
        edge(changes, "one", "all", "child-2")
        edge(changes, "one", "nap", "", kind="time", due_at=NOW + 9)
        edge(changes, "two", "all", "child-1", kind="run", data="foreign")
        await shard.commit(changes)
        of = await store.waits.of_runs(shard.shard_id, ["one", "none"])
        assert {(row.key, row.waitpoint_id, row.total) for row in of} == {
            ("all", "child-1", 0),
            ("all", "child-2", 0),
            ("nap", "", 0),
        }
        on = await store.waits.on(shard.shard_id, ["child-1", "child-9", ""])
        assert sorted(on, key=lambda row: row.run_id) == [
            EdgeRow(*("one", "all", "child-1", "run", 0, 4, NOW + 5), *(None, "f", NOW), total=2),
            EdgeRow(*("two", "all", "child-1", "run", 0, 1, 0), *("foreign", "", NOW), total=1),
        ]
        assert await store.waits.foreign(shard.shard_id) == ["child-1"]

    async def test_the_first_registration_of_a_wait_stays(self, store: Store) -> None:
        shard = await Shard.taken(store)
        for due_at in (NOW, NOW + 9):
            changes = shard.changes()
            edge(changes, "one", "nap", "", kind="time", due_at=due_at)
            await shard.commit(changes)
        [row] = await store.waits.of_runs(shard.shard_id, ["one"])
        assert row.due_at == NOW

    async def test_dropped_waits_are_gone_and_others_stay(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        for key in ("a", "b"):
            for child in ("c", "d"):
                edge(changes, "one", key, child)
        await shard.commit(changes)
        changes = shard.changes()
        changes.drop_edge = [("one", "a", "c"), ("one", "b", "d"), ("one", "x", "c")]
        await shard.commit(changes)
        rows = await store.waits.of_runs(shard.shard_id, ["one"])
        assert {(row.key, row.waitpoint_id) for row in rows} == {("a", "d"), ("b", "c")}

    async def test_the_end_of_a_run_and_its_parent_are_told(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [live] = await shard.queued(1, parent_id="run_p")
        [ended] = await shard.ended(1, "failed")
        rows = await store.waits.ends(shard.shard_id, [live, ended, "run_none"])
        assert sorted(rows, key=lambda row: row.status) == [
            EndRow(live, shard.env_id, "run_p", ""),
            EndRow(ended, shard.env_id, None, "failed"),
        ]
