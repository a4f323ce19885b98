"""Runs that await others in their slots: what can never end is told, everything else is not."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.errors import Deadlock
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.wire import calls
from tests.engine.house import House, Worker

SOLO = TaskSpec("solo", "solo")
PAIR = TaskSpec("pair", "pair")
FREE = TaskSpec("free", "free")
QUEUES = [QueueSpec("solo", limit=1), QueueSpec("pair", limit=2), QueueSpec("free")]


def worker_of(house: House) -> Worker:
    return house.worker(SOLO, PAIR, FREE, queues=QUEUES, inside=True)


def awaits(
    house: House, run_id: str, awaited: str, *, brief: bool = False
) -> asyncio.Future[object]:
    """The code of a run calls `result()` of another: in a step, or `brief` and then durably."""
    return asyncio.ensure_future(house.ask(calls.AwaitRun(awaited, 60_000, True, brief), run_id))


async def ends(house: House, waiting: asyncio.Future[object]) -> bool:
    """Whether the call has ended, after everything had its turn."""
    await house.breathe()
    for _ in range(3):
        await house.advance(2_000)
    await house.breathe()
    return waiting.done()


async def told(house: House, waiting: asyncio.Future[object]) -> None:
    assert await ends(house, waiting)
    with pytest.raises(Deadlock, match="trigger_and_wait"):
        await waiting


async def given_up(*waiting: asyncio.Future[object]) -> None:
    for call in waiting:
        call.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_child_that_needs_its_parent_s_slot_is_a_deadlock(house: House) -> None:
    worker = worker_of(house)
    parent = await house.trigger(task="solo")
    child = await house.trigger(task="solo", parent=parent)
    assert list(worker.runs) == [parent]
    await told(house, awaits(house, parent, child))


async def test_a_child_of_another_queue_is_none(house: House) -> None:
    worker = worker_of(house)
    parent = await house.trigger(task="solo")
    child = await house.trigger(task="free", parent=parent)
    waiting = awaits(house, parent, child)
    assert not await ends(house, waiting)
    worker.finish(child, 3)
    await house.settle()
    assert (await waiting).output == "3"  # type: ignore[attr-defined]


async def test_it_is_none_while_another_holder_may_end(house: House) -> None:
    worker = worker_of(house)
    one, two = await house.trigger(task="pair"), await house.trigger(task="pair")
    children = [await house.trigger(task="pair", parent=run_id) for run_id in (one, two)]
    first = awaits(house, one, children[0])
    assert not await ends(house, first)
    second = awaits(house, two, children[1])
    assert await ends(house, second) != await ends(house, first)  # one of them is enough
    loser = one if first.done() else two
    worker.finish(loser, outcome="aborted")
    await house.settle()
    assert set(worker.runs) & set(children)
    await given_up(first, second)


async def test_it_is_found_through_a_run_that_waits_durably(house: House) -> None:
    worker = worker_of(house)
    outer = await house.trigger(task="solo")
    middle = await house.trigger(task="free", parent=outer)
    inner = await house.trigger(task="solo", parent=middle)
    waiting = awaits(house, outer, middle)
    assert not await ends(house, waiting)
    worker.sleep(middle, "inner", "run", points=[inner])
    await told(house, waiting)


async def test_a_durable_wait_that_ends_by_time_is_no_deadlock(house: House) -> None:
    worker = worker_of(house)
    outer = await house.trigger(task="solo")
    middle = await house.trigger(task="free", parent=outer)
    inner = await house.trigger(task="solo", parent=middle)
    worker.sleep(middle, "inner", "run", points=[inner], after_ms=3_600_000)
    waiting = awaits(house, outer, middle)
    assert not await ends(house, waiting)
    await given_up(waiting)


async def test_a_run_that_becomes_ready_later_is_found_then(house: House) -> None:
    worker_of(house)
    parent = await house.trigger(task="solo")
    child = await house.trigger(task="solo", parent=parent, delay_ms=60_000)
    waiting = awaits(house, parent, child)
    assert not await ends(house, waiting)
    await house.advance(60_000)
    await told(house, waiting)


async def test_a_caller_outside_of_runs_waits_as_long_as_it_likes(house: House) -> None:
    worker_of(house)
    parent = await house.trigger(task="solo")
    child = await house.trigger(task="solo", parent=parent)
    waiting = asyncio.ensure_future(house.ask(calls.AwaitRun(child, 60_000)))
    assert not await ends(house, waiting)
    await given_up(waiting)


async def test_a_run_that_soon_gives_its_slot_back_is_in_nobody_s_way(house: House) -> None:
    worker = worker_of(house)
    parent = await house.trigger(task="solo")
    child = await house.trigger(task="solo", parent=parent)
    waiting = awaits(house, parent, child, brief=True)
    assert not await ends(house, waiting)
    await given_up(waiting)
    worker.sleep(parent, "child", "run", points=[child])
    await house.settle()
    assert list(worker.runs) == [child]


@pytest.mark.parametrize("first", ["waits durably", "is about to"])
async def test_runs_that_await_each_other_are_one_whether_in_slots_or_not(
    house: House, first: str
) -> None:
    worker = worker_of(house)
    one = await house.trigger(task="free")
    two = await house.trigger(task="free", parent=one)
    waiting = []
    if first == "waits durably":
        worker.sleep(one, "two", "run", points=[two])
    else:
        waiting.append(awaits(house, one, two, brief=True))
    await house.settle()
    waiting.append(awaits(house, two, one, brief=True))
    await ends(house, waiting[-1])
    (stuck,) = [call for call in waiting if call.done()]
    with pytest.raises(Deadlock):
        await stuck
    await given_up(*waiting)


async def test_slots_of_all_workers_that_are_full_of_waiting_runs_are_told_after_a_while(
    house: House,
) -> None:
    worker = house.worker(FREE, queues=QUEUES, inside=True, slots=2)
    parents = [await house.trigger(task="free") for _ in range(2)]
    children = [await house.trigger(task="free", parent=parent) for parent in parents]
    waiting = [awaits(house, *pair) for pair in zip(parents, children, strict=True)]
    assert not await ends(house, waiting[0])  # a further worker may come
    for _ in range(10):
        await house.advance(2_000)
    await house.breathe()
    (end,) = [call for call in waiting if call.done()]
    with pytest.raises(Deadlock, match="more workers"):
        await end
    worker.finish(parents[waiting.index(end)], outcome="aborted")
    await house.settle()
    assert set(worker.runs) & set(children)
    await given_up(*waiting)


async def test_they_are_none_while_one_of_those_runs_gives_its_slot_back(house: House) -> None:
    house.worker(FREE, queues=QUEUES, inside=True, slots=2)
    parents = [await house.trigger(task="free") for _ in range(2)]
    children = [await house.trigger(task="free", parent=parent) for parent in parents]
    waiting = [
        awaits(house, parents[0], children[0]),
        awaits(house, parents[1], children[1], brief=True),
    ]
    for _ in range(15):
        await house.advance(2_000)
    await house.breathe()
    assert not any(call.done() for call in waiting)
    await given_up(*waiting)
