"""Leases outlive the owner that granted them: a takeover continues them, whatever clocks show."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mainspring.engine.uptimes import Uptimes
from mainspring.errors import StoreUnavailable
from mainspring.store.leasing import Beat, LeaseRow
from mainspring.wire.worker import Capacity
from tests.engine.house import House

OLDER_TAKE = """-- takes: shard bigint, owner text
UPDATE shard SET owner = :owner, epoch = epoch + 1 WHERE shard_id = :shard RETURNING epoch;"""


async def heard(house: House) -> tuple[str, float]:
    """A run that a worker is at, and when the worker was heard of last."""
    house.engine.shares.members._address = "server-1:1"
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    assert await worker.beat()
    return run_id, house.clock.monotonic()


async def lapses(house: House, run_id: str, heard_at: float) -> None:
    """The run is taken from its worker as long after that as a lease lasts."""
    while await house.status(run_id) == "executing":
        await house.advance(250)
    assert 15.0 < house.clock.monotonic() - heard_at <= 15.5


async def died(house: House, server_id: str) -> None:
    """The owner dies, another server has seen it live, and takes over when it counts as lost."""
    old, taker = house.engine, house.new_engine(server_id)
    taker.shares.members._address = f"{server_id}:1"
    await taker.start(loops=False)
    old.store.shards.dead = True
    for worker in house.workers:
        worker.drop()
    house.engine = taker
    while not taker.shares.owns(house.env.shard_id):
        house.clock.advance(250)
        with suppress(StoreUnavailable):
            await taker.tick()
    await house.settle()


async def test_a_silent_worker_s_lease_goes_on_whoever_the_owner_is(house: House) -> None:
    run_id, heard_at = await heard(house)
    for number in (2, 3):
        await died(house, f"server-{number}")
    assert await house.status(run_id) == "executing"
    await lapses(house, run_id, heard_at)


async def test_the_end_that_a_worker_tells_after_its_lease_counts_for_nothing(house: House) -> None:
    late = house.worker()
    run_id = await house.trigger()
    late.begin(run_id)
    await house.live(16_000)
    other = house.worker()
    await house.live(4_000)
    other.begin(run_id)
    late.finish(run_id, "late")
    await house.settle()
    assert await house.status(run_id) == "executing"
    other.finish(run_id, "in time")
    await house.settle()
    assert (await house.run(run_id)).output == '"in time"'


async def test_a_takeover_that_takes_several_attempts_continues_leases_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, heard_at = await heard(house)
    leases, rows, asked = house.store.inner.leases, house.store.inner.leases.rows, []

    async def late(shard_id: int) -> object:
        asked.append(shard_id)
        if len(asked) <= 3:
            raise StoreUnavailable("The database is away (made so by a test).")
        return await rows(shard_id)

    monkeypatch.setattr(leases, "rows", late)
    await died(house, "server-2")
    assert len(asked) == 4
    await lapses(house, run_id, heard_at)


@pytest.mark.parametrize("ends", [["lost"], ["kept"], ["lost", "lost"]])
async def test_a_session_that_ended_just_before_a_doubtful_commit_gets_no_other_lease(
    house: House, ends: list[str]
) -> None:
    worker, other = house.worker(), house.worker(slots=0)
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    house.faults.next.extend(ends)
    worker.die()
    await house.settle()
    other.send(Capacity(1))
    await house.live(12_000)
    assert list(other.runs) == [run_id]


async def test_a_worker_that_beats_keeps_its_runs_under_one_owner_after_the_other(
    house: House,
) -> None:
    house.engine.shares.members._address = "server-1:1"
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    for number in range(2, 6):
        await died(house, f"server-{number}")
        assert await worker.beat()
    await house.live(14_000)
    assert await house.status(run_id) == "executing"


async def test_a_beat_is_answered_once_it_is_written(house: House) -> None:
    worker = house.worker()
    beating = asyncio.ensure_future(house.engine.beat(house.env, worker.session_id))
    await house.breathe()
    assert not beating.done()
    await house.engine.doors[house.env.shard_id].leases.write()
    assert await beating
    [row] = await house.store.inner.leases.rows(house.env.shard_id)
    assert row.session_id == worker.session_id


async def test_many_beats_are_one_write(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    workers, writes = [house.worker() for _ in range(20)], []
    leases, keep = house.store.inner.leases, house.store.inner.leases.keep

    async def counted(*given: object, **named: object) -> None:
        writes.append(given)
        await keep(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(leases, "keep", counted)
    beats = [
        asyncio.ensure_future(house.engine.beat(house.env, worker.session_id)) for worker in workers
    ]
    await house.breathe()
    await house.engine.doors[house.env.shard_id].leases.write()
    assert all(await asyncio.gather(*beats))
    assert len(writes) == 1


async def test_a_beat_that_comes_as_the_shard_is_given_away_is_to_be_repeated(house: House) -> None:
    worker = house.worker()
    beating = asyncio.ensure_future(house.engine.beat(house.env, worker.session_id))
    await house.breathe()
    house.engine.doors[house.env.shard_id].close("another server has this environment now")
    with pytest.raises(StoreUnavailable):
        await beating


async def test_the_lease_of_a_session_that_is_over_is_forgotten(house: House) -> None:
    worker = house.worker()
    assert await worker.beat()
    house.engine.lost(house.env, worker.session_id)
    await house.engine.doors[house.env.shard_id].leases.write()
    assert await house.store.inner.leases.rows(house.env.shard_id) == []


@given(
    st.lists(
        st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 9.0)),
        min_size=1,
        max_size=8,
    ),
    st.floats(-1e6, 1e6),
    st.floats(0.0, 30.0),
)
def test_what_another_clock_showed_is_never_placed_too_early(
    steps: list[tuple[float, float]], apart: float, heard: float
) -> None:
    """`steps`: how long after the last beat the next one comes, and how late we look at it."""
    uptimes, now, seen = Uptimes(), 0.0, 0.0
    for number, (pause, late) in enumerate(steps):
        now += pause
        seen = max(seen, now + late)
        uptimes.look([Beat("other", number, int((now + apart) * 1000))], seen)
    placed = uptimes.here("other", int((heard + apart) * 1000))
    assert placed is not None
    assert placed >= heard - 0.002
    assert placed <= heard + (seen - now) + 0.002


def test_leases_of_a_server_that_has_gone_are_continued_for_a_while() -> None:
    uptimes = Uptimes()
    uptimes.look([Beat("left", 1, 70_000)], 10.0)
    uptimes.look([], 20.0)
    rows = [LeaseRow("ses_a", "left", 4, 68_000)]
    assert uptimes.heard(rows) == {"ses_a": 8.0}
    uptimes.look([], 400.0)
    assert uptimes.heard(rows) == {}


def test_what_a_clock_that_nobody_has_seen_showed_is_not_believed() -> None:
    uptimes = Uptimes()
    uptimes.look([Beat("old", 1, None), Beat("new", 1, 70_000)], 10.0)
    assert uptimes.heard([LeaseRow("ses_a", "old", 4, 68_000)]) == {}
    assert uptimes.heard([LeaseRow("ses_a", "unseen", 4, 68_000)]) == {}


async def test_nothing_is_believed_that_an_owner_of_an_older_release_may_have_outdated(
    house: House,
) -> None:
    worker, shard_id = house.worker(), house.env.shard_id
    store: Any = house.store.inner
    assert await worker.beat()
    await store.shards.take(shard_id, "two")
    epoch = await store.shards.take(shard_id, "three")
    assert await store.shards.give(shard_id, "three", epoch, "four")
    assert [row.session_id for row in await store.leases.rows(shard_id)] == [worker.session_id]
    store.database.statements.add("older_take", OLDER_TAKE)
    await store.database.write(("older_take", {"shard": shard_id, "owner": "five"}, ()))
    for name in ("six", "seven"):
        await store.shards.take(shard_id, name)
        assert await store.leases.rows(shard_id) == []
