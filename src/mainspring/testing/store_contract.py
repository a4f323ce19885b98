"""What every store does, as test classes: commits, and what an owner reads. Subclass each in a test
module and give a fixture `store` with an open, empty store. Reads: `store_reads`.
"""

from __future__ import annotations

import asyncio

import pytest

from mainspring.errors import CommitRejected
from mainspring.store.protocol import (
    DebounceRow,
    InboxRow,
    KeyRow,
    LaneCount,
    RateRow,
    Store,
    TimerRow,
)
from mainspring.testing.store_rows import NOW, QUEUE, Shard

FIRST = (0, "", "")
"""The cursor before every timer."""


class CommitContract:
    """The grouped commit: all or nothing, exact where it must be."""

    async def test_a_claim_moves_ready_runs_to_active_with_the_next_epoch(
        self, store: Store
    ) -> None:
        shard = await Shard.taken(store)
        ids = await shard.queued(3, options='{"max_attempts":5}', parent_id=None)
        shard.now += 10
        claimed = await shard.claimed(ids[:2])
        assert [(run.run_id, run.epoch, run.attempt) for run in claimed] == [
            (ids[0], 1, 1),
            (ids[1], 1, 1),
        ]
        assert claimed[0].started_at == shard.now
        assert (claimed[0].payload, claimed[0].options) == ('{"n":1}', '{"max_attempts":5}')
        places = {row.run_id: row.place for row in await store.live.locate(shard.shard_id, ids)}
        assert places == dict(zip(ids, ("active", "active", "ready"), strict=True))

    async def test_a_run_that_started_before_keeps_its_start(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id)
        shard.ready(changes, run_id, started_at=NOW - 99, attempt=2, epoch=4, active_ms=12)
        await shard.commit(changes)
        [claimed] = await shard.claimed([run_id])
        assert (claimed.started_at, claimed.attempt, claimed.epoch) == (NOW - 99, 2, 5)
        assert claimed.active_ms == 12

    async def test_a_run_may_start_in_the_commit_that_makes_it(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id, task="direct")
        shard.start(changes, run_id, session_id="s9")
        await shard.commit(changes)
        [row] = await store.live.active(shard.shard_id)
        assert (row.run_id, row.task, row.session_id, row.epoch) == (run_id, "direct", "s9", 1)

    async def test_ends_and_claims_ride_in_one_commit(self, store: Store) -> None:
        shard = await Shard.taken(store)
        first, second = await shard.queued(2)
        await shard.claimed([first])
        changes = shard.changes()
        changes.drop_active = [(first, 1)]
        shard.done(changes, first)
        changes.claim = [(second, "session", "")]
        assert [run.run_id for run in await shard.commit(changes)] == [second]
        assert await store.live.known(shard.shard_id, [first, second, "run_no"]) == {
            first: "completed",
            second: "",
        }
        assert await store.live.done_epochs(shard.shard_id, [first, second]) == {first: 1}

    async def test_an_empty_commit_only_checks_the_epoch(self, store: Store) -> None:
        shard = await Shard.taken(store)
        assert await shard.commit(shard.changes()) == []

    async def test_a_stale_epoch_of_a_run_rejects_the_whole_commit(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids = await shard.queued(2)
        await shard.claimed(ids)
        changes = shard.changes()
        changes.drop_active = [(ids[0], 1), (ids[1], 2)]
        shard.done(changes, ids[0])
        with pytest.raises(CommitRejected, match="drop_active touched 1 rows where 2"):
            await shard.commit(changes)
        assert len(await store.live.active(shard.shard_id)) == 2
        assert await store.live.done_epochs(shard.shard_id, ids) == {}

    @pytest.mark.parametrize("name", ["drop_ready", "drop_parked", "claim", "cancel", "ready"])
    async def test_a_list_that_must_match_rejects_what_does_not(
        self, store: Store, name: str
    ) -> None:
        shard = await Shard.taken(store)
        [run_id] = await shard.ended(1)
        changes = shard.changes()
        if name == "ready":
            shard.ready(changes, run_id)
            await shard.commit(changes)  # is there already the second time
        else:
            row = {"claim": (run_id, "session", ""), "cancel": (run_id, 1, NOW)}.get(
                name, (run_id,)
            )
            getattr(changes, name).append(row)
        with pytest.raises(CommitRejected, match=name):
            await shard.commit(changes)

    async def test_a_run_ends_once(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id] = await shard.ended(1)
        changes = shard.changes()
        shard.done(changes, run_id, "failed")
        with pytest.raises(CommitRejected, match="done"):
            await shard.commit(changes)
        assert await store.live.known(shard.shard_id, [run_id]) == {run_id: "completed"}

    async def test_a_row_that_the_database_refuses_is_named(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id)
        shard.park(changes, run_id, "no such kind")
        with pytest.raises(CommitRejected, match="a row of park"):
            await shard.commit(changes)
        assert await store.live.known(shard.shard_id, [run_id]) == {}

    async def test_a_text_that_cannot_be_stored_rejects_the_commit(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id, payload='"\ud800"')
        with pytest.raises(CommitRejected):
            await shard.commit(changes)
        await shard.queued(1)

    async def test_a_cancel_is_a_column_of_the_active_row(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids = await shard.queued(2)
        await shard.claimed(ids)
        changes = shard.changes()
        changes.cancel = [(ids[0], 1, NOW + 5)]
        await shard.commit(changes)
        rows = {row.run_id: row.cancel_at for row in await store.live.active(shard.shard_id)}
        assert rows == {ids[0]: NOW + 5, ids[1]: None}

    async def test_texts_come_back_as_they_went(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id], changes = shard.ids(1), shard.changes()
        text = '{"a":"\\u0001 \\"ß\\" 雪 😀","b":[1e400,12345678901234567890,null,true]}'
        shard.run(changes, run_id, payload=text, task="ta'sk\\", ckey=":now {rows} $1")
        shard.ready(changes, run_id, ckey=":now {rows} $1")
        await shard.commit(changes)
        [claimed] = await shard.claimed([run_id])
        assert (claimed.payload, claimed.task) == (text, "ta'sk\\")
        [row] = await store.live.active(shard.shard_id)
        assert row.ckey == ":now {rows} $1"

    async def test_a_commit_holds_thousands_of_rows(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids = await shard.queued(3_000)
        assert len(await shard.claimed(ids)) == 3_000
        assert len(await store.live.known(shard.shard_id, ids)) == 3_000

    async def test_a_commit_goes_on_when_its_caller_is_gone(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id)
        shard.ready(changes, run_id)
        caller = asyncio.ensure_future(shard.commit(changes))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        await shard.commit(shard.changes())  # comes after the one in flight
        assert await store.live.known(shard.shard_id, [run_id]) == {run_id: ""}


class LiveContract:
    """What the owner reads of its shard."""

    async def test_lanes_count_only_new_runs(self, store: Store) -> None:
        shard = await Shard.taken(store)
        await shard.queued(2)
        await shard.queued(1, ckey="k", version="v2", queue="mail")
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id)
        shard.ready(changes, run_id, resume=1)
        await shard.commit(changes)
        assert await store.live.lanes(shard.shard_id) == [
            LaneCount(shard.env_id, "mail", "k", "v2", 1),
            LaneCount(shard.env_id, QUEUE, "", "", 2),
        ]
        [resumed] = await store.live.resumes(shard.shard_id)
        assert (resumed.run_id, resumed.place, resumed.kind) == (run_id, "ready", "resume")

    async def test_refill_goes_on_after_the_cursor_in_order(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids, changes = shard.ids(6), shard.changes()
        for at, run_id in enumerate(ids):
            shard.run(changes, run_id)
            shard.ready(changes, run_id, ord=100 - at // 2)
        await shard.commit(changes)
        order = sorted((100 - at // 2, run_id) for at, run_id in enumerate(ids))
        lane = (shard.env_id, QUEUE, "", "")
        other = (shard.env_id, "other", "", "")
        pages = await store.live.refill(
            shard.shard_id, [(lane, 0, "", 3), (other, 0, "", 9), (lane, *order[2], 9)]
        )
        assert pages == [order[:3], [], order[3:]]

    async def test_locate_finds_each_live_run_where_it_is(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids, changes = shard.ids(4), shard.changes()
        for run_id in ids[:3]:
            shard.run(changes, run_id, options='{"ttl_ms":5}', created_at=NOW)
        shard.ready(changes, ids[0], ord=5)
        shard.start(changes, ids[1], session_id="s1")
        shard.park(changes, ids[2], "retry", due_at=NOW + 9, attempt=2, started_at=3)
        await shard.commit(changes)
        found = {row.run_id: row for row in await store.live.locate(shard.shard_id, ids)}
        assert found.keys() == set(ids[:3])
        assert (found[ids[0]].place, found[ids[0]].ord, found[ids[0]].kind) == ("ready", 5, "")
        assert (found[ids[1]].place, found[ids[1]].session_id) == ("active", "s1")
        parked = found[ids[2]]
        assert (parked.place, parked.kind, parked.due_at) == ("parked", "retry", NOW + 9)
        assert (parked.attempt, parked.started_at, parked.options) == (2, 3, '{"ttl_ms":5}')
        assert await store.live.locate(shard.shard_id, []) == []
        held = [(ids[1], 1, 1, "s1")]
        assert await store.live.held(shard.shard_id, ids) == held
        assert await store.live.holding(shard.shard_id, "", 9) == held

    async def test_timers_are_read_by_cursor(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.timer = [(3, "ttl", "b"), (1, "delay", "c"), (3, "delay", "a"), (9, "retry", "d")]
        await shard.commit(changes)
        read, shard_id = store.live.timers, shard.shard_id
        first = await read(shard_id, FIRST, 5, 2)
        assert first == [TimerRow(1, "delay", "c"), TimerRow(3, "delay", "a")]
        assert await read(shard_id, (3, "delay", "a"), 5, 9) == [TimerRow(3, "ttl", "b")]
        changes = shard.changes()
        changes.drop_timer = [(3, "ttl", "b"), (4, "ttl", "gone")]
        await shard.commit(changes)
        assert await read(shard_id, (3, "delay", "a"), 99, 9) == [TimerRow(9, "retry", "d")]

    async def test_a_key_leads_to_the_run_that_took_it_last(self, store: Store) -> None:
        shard = await Shard.taken(store)
        wanted = [(shard.env_id, "t", "k"), (shard.env_id, "t", "none")]
        for run_id, expires_at in (("one", 5), ("two", 9)):
            changes = shard.changes()
            changes.key = [(shard.env_id, "t", "k", run_id, expires_at)]
            await shard.commit(changes)
        two = KeyRow(shard.env_id, "t", "k", "two", 9)
        assert await store.live.keys(shard.shard_id, wanted) == [two]
        changes = shard.changes()
        changes.drop_key = [(shard.env_id, "t", "k", "one")]  # has lost the key already
        await shard.commit(changes)
        assert await store.live.keys(shard.shard_id, wanted) == [two]
        changes.drop_key = [(shard.env_id, "t", "k", "two")]
        await shard.commit(changes)
        assert await store.live.keys(shard.shard_id, wanted) == []

    async def test_a_debounce_keeps_its_payload_until_it_is_dropped(self, store: Store) -> None:
        shard = await Shard.taken(store)
        key = (shard.env_id, "t", "k")
        for due_at, payload in ((5, None), (8, '"new"')):
            changes = shard.changes()
            changes.debounce = [(*key, "run", 1, due_at, payload)]
            await shard.commit(changes)
        row = DebounceRow(*key, "run", 1, 8, '"new"')
        assert await store.live.debounces(shard.shard_id, [key]) == [row]
        changes = shard.changes()
        changes.drop_debounce = [key]
        await shard.commit(changes)
        assert await store.live.debounces(shard.shard_id, [key]) == []

    async def test_rate_states_are_replaced(self, store: Store) -> None:
        shard = await Shard.taken(store)
        for tat in (1, 2):
            changes = shard.changes()
            changes.rate = [(shard.env_id, "q", "", tat), (shard.env_id, "q", "k", 2**62)]
            await shard.commit(changes)
        assert await store.live.rates(shard.shard_id) == [
            RateRow(shard.env_id, "q", "", 2),
            RateRow(shard.env_id, "q", "k", 2**62),
        ]

    async def test_the_inbox_is_drained_by_deleting(self, store: Store) -> None:
        shard = await Shard.taken(store)
        rows = [InboxRow(f"i{at}", shard.env_id, f"r{at}", "t", "1", "{}", at) for at in range(3)]
        for row in reversed(rows):
            await store.runs.trigger_later(shard.shard_id, row)
        assert await store.live.inbox(shard.shard_id, 2) == rows[:2]
        changes = shard.changes()
        changes.drop_inbox = [("i0",), ("i1",)]
        await shard.commit(changes)
        assert await store.live.inbox(shard.shard_id, 9) == rows[2:]

    async def test_shards_do_not_see_each_other(self, store: Store) -> None:
        one, two = await Shard.taken(store, "dev"), await Shard.taken(store, "prod")
        [mine] = await one.queued(1)
        await two.queued(1)
        assert [row.queued for row in await store.live.lanes(one.shard_id)] == [1]
        assert await store.live.locate(two.shard_id, [mine]) == []
        changes = two.changes()
        changes.drop_ready = [(mine,)]
        with pytest.raises(CommitRejected):
            await two.commit(changes)
