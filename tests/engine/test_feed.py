"""The feed: numbers that grow with each commit, and watches that miss nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainspring.engine.feed import EPOCH_BITS, KEPT, LINGER_S, SHOWN, Feed, Topic, Watch
from mainspring.errors import StoreUnavailable
from mainspring.store.changes import PLAN, Changes
from mainspring.store.dialect import SQLITE
from mainspring.store.statements import Statements
from mainspring.wire import calls
from mainspring.wire.worker import LogLine, Logs, Op
from tests.engine.durable import started
from tests.engine.house import House, request


def watch(house: House, *topics: Topic) -> Watch:
    return house.engine.watch(house.env, *topics)


def rung(watch: Watch) -> bool:
    """Whether it has rung since it was asked last."""
    found, watch.rung = watch.rung, False
    return found


async def change_of(house: House, run_id: str) -> int:
    [run] = await house.store.runs.many(house.env.shard_id, [run_id])
    return run.change


def numbers(house: House) -> list[int]:
    return [changes.change for changes in house.faults.changes]


async def test_every_commit_has_a_greater_number(house: House) -> None:
    worker = house.worker()
    for n in range(5):
        run_id = await house.trigger(n)
        worker.finish(run_id, n)
        await house.settle()
    found = numbers(house)
    assert len(found) >= 5
    assert found == sorted(set(found))


async def test_numbers_grow_across_crashes_and_takeovers(house: House) -> None:
    house.worker(slots=0)
    await house.settle()  # what the worker has told is in the rows
    await house.trigger()
    for _ in range(3):
        await house.crash()
        await house.trigger()
    await house.take_over("server-2")
    await house.trigger()
    found = numbers(house)
    assert found == sorted(set(found))
    assert len({number >> EPOCH_BITS for number in found}) == 5


@pytest.mark.parametrize("end", ["lost", "kept", "refused"])
async def test_a_commit_in_doubt_never_shares_its_number(house: House, end: str) -> None:
    house.worker(slots=0)
    first = await house.trigger()
    house.faults.next.append(end)
    second = await house.answer(1, request_key="r") if end != "refused" else None
    third = await house.trigger()
    found = numbers(house)
    assert found == sorted(set(found))
    assert await change_of(house, first) < await change_of(house, third)
    if second is not None:
        assert await change_of(house, first) < await change_of(house, second.run_id)


async def test_each_step_of_a_run_raises_its_number_and_rings(house: House) -> None:
    worker = house.worker(slots=0, inside=True)
    run_id = await house.trigger(metadata='{"a":1}')
    watching = watch(house, ("run", run_id))
    seen = [await change_of(house, run_id)]

    async def stepped() -> None:
        await house.settle()
        assert set(watching.since(seen[-1]) or ()) == {run_id}
        assert rung(watching)
        seen.append(await change_of(house, run_id))
        assert watching.since(seen[-1]) == {}

    await house.ask(calls.AddTags(run_id, ("red",)))
    await stepped()
    await house.ask(calls.UpdateMetadata(run_id, [Op("set", "a", "2")]))
    await stepped()
    worker.slots = 1
    worker.connect()
    await stepped()  # claimed
    worker.sleep(run_id, "nap", due_at=house.clock.now() + 1_000)
    await stepped()  # parked
    await house.advance(1_000)
    await stepped()  # goes on
    worker.finish(run_id, outcome="failed")
    await stepped()  # waits for its next attempt
    await house.live(60_000)
    await stepped()
    worker.finish(run_id, 1)
    await stepped()  # ended
    assert seen == sorted(set(seen))


async def test_a_delay_that_is_changed_rings(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(delay_ms=60_000)
    watching = watch(house, ("run", run_id))
    await house.ask(calls.RescheduleRun(run_id, 90_000))
    assert rung(watching)


async def test_runs_of_others_do_not_ring(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(tags=("red",), batch_id="batch_a")
    watching = watch(house, ("run", run_id))
    await house.trigger(tags=("red",), batch_id="batch_a")
    assert not rung(watching)


@pytest.mark.parametrize("by", ["tag", "batch"])
async def test_a_list_hears_of_new_runs_and_of_the_later_changes_of_its_runs(
    house: House, by: str
) -> None:
    worker = house.worker(slots=0)
    marks: Any = {"tags": ("red", "big")} if by == "tag" else {"batch_id": "batch_a"}
    old = await house.trigger(**marks)
    topic: Topic = ("tag", house.env.env_id, "red") if by == "tag" else ("batch", "batch_a")
    watching = watch(house, topic)
    assert watching.since(house.owner.feed.last) is None  # what it shows is not known yet
    watching.expect([old])
    base = house.owner.feed.last
    assert watching.since(base) == {}
    new = await house.trigger(**marks)
    await house.trigger(tags=("blue",), batch_id="batch_b")
    assert rung(watching)
    assert set(watching.since(base) or ()) == {new}
    worker.slots = 2
    worker.connect()
    await house.settle()
    worker.finish(old, 1)
    base = house.owner.feed.last
    await house.settle()
    assert rung(watching)
    assert set(watching.since(base) or ()) == {old}


async def test_a_list_by_several_tags_hears_of_a_run_that_gets_one_later(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(tags=("red",))
    watching = watch(house, ("tag", house.env.env_id, "big", "red"))
    watching.expect([])
    base = house.owner.feed.last
    await house.ask(calls.AddTags(run_id, ("big",)))
    assert set(watching.since(base) or ()) == {run_id}


async def test_the_list_of_an_environment_hears_of_everything(house: House) -> None:
    worker = house.worker()
    watching = watch(house, ("env", house.env.env_id))
    base = house.owner.feed.last
    one, two = [answer.run_id for answer in await house.batch([request(), request()])]
    assert set(watching.since(base) or ()) == {one, two}
    base = house.owner.feed.last
    worker.finish(one, 1)
    await house.settle()
    assert set(watching.since(base) or ()) == {one}


async def test_lines_ring_once_they_are_stored(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    watching = watch(house, ("logs", run_id))
    worker.send(Logs([LogLine(run_id, 1, "info", "hello")]))
    await house.breathe()
    assert not rung(watching)
    await house.engine.tick()
    assert rung(watching)
    assert len((await house.ask(calls.ListLogs(run_id))).lines) == 1


async def test_who_waits_is_woken(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    watching = watch(house, ("run", run_id))
    waiting = asyncio.ensure_future(watching.wait())
    await house.breathe()
    assert not waiting.done()
    await house.cancel(run_id)
    assert await waiting
    again = asyncio.ensure_future(watching.wait())
    await house.breathe()
    assert not again.done()
    watching.close()
    assert not await again


async def test_a_doubtful_commit_makes_everybody_look_for_himself(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    watching = watch(house, ("run", run_id))
    base = house.owner.feed.last
    house.faults.next.append("kept")
    await house.cancel(run_id)
    await house.settle()
    assert rung(watching)
    assert watching.since(base) is None
    assert await change_of(house, run_id) > base


@pytest.mark.parametrize("how", ["stop", "takeover"])
async def test_watches_close_with_their_owner(house: House, how: str) -> None:
    house.worker(slots=0)
    watching = watch(house, ("run", await house.trigger()))
    waiting = asyncio.ensure_future(watching.wait())
    await house.breathe()
    env, engine = house.env, house.engine
    if how == "stop":
        await engine.stop()
    else:
        await house.take_over("server-2")
        with pytest.raises(StoreUnavailable):
            await engine.answer(env, calls.Trigger([request()]))
    assert not await waiting
    assert watching.closed
    watching.close()
    with pytest.raises(StoreUnavailable):
        engine.watch(env, ("run", "run_a"))


def committed(feed: Feed, *run_ids: str) -> int:
    changes = Changes(0, feed.number())
    changes.claim = [(run_id, "session", "") for run_id in run_ids]
    feed.commit(changes)
    return changes.change


def test_a_channel_outlives_its_watch_for_a_while() -> None:
    feed = Feed()
    feed.begin(1)
    feed.watch(("run", "a")).close()
    base = feed.last
    feed.sweep(10)
    committed(feed, "a")
    feed.sweep(10 + LINGER_S)
    second = feed.watch(("run", "a"))
    assert set(second.since(base) or ()) == {"a"}
    second.close()
    feed.sweep(100)
    feed.sweep(101 + LINGER_S)
    assert not feed.is_watched
    assert feed.watch(("run", "a")).since(base) is None


def test_a_channel_that_is_swept_leaves_nothing_behind() -> None:
    feed = Feed()
    topics: list[Topic] = [("run", "a"), ("tag", 1, "x", "y"), ("batch", "b"), ("env", 1)]
    watching = feed.watch(*topics, ("logs", "a"))
    watching.expect(["a", "c"])
    watching.close()
    feed.sweep(0)
    feed.sweep(2 * LINGER_S)
    assert [feed._channels, feed._lists, feed._by_run, feed._left] == [{}, {}, {}, {}]


def test_a_list_keeps_a_bounded_number_of_runs() -> None:
    feed = Feed()
    watching = feed.watch(("env", 1))
    base = feed.last
    first = [committed(feed, f"run-{n}") for n in range(2 * KEPT)][KEPT]
    assert watching.since(base) is None
    found = watching.since(first)
    assert found is not None
    assert len(found) == KEPT - 1
    many = feed.watch(("batch", "b"))
    many.expect(f"run-{n}" for n in range(2 * KEPT))
    assert len(feed._by_run) == KEPT


def test_every_list_that_numbers_its_rows_wakes_who_watches() -> None:
    statements = Statements(SQLITE)
    numbered = {name for name in PLAN if "change" in statements[name].parameters}
    assert numbered == {*SHOWN, "tag"}
