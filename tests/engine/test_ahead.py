"""What is decided while a commit is in flight holds only if that commit does."""

import asyncio

import pytest

from tests.engine.house import House, Worker, request


async def in_flight(house: House, worker: Worker, count: int = 3) -> list[str]:
    """Runs that execute; the end of the first is in a commit that has not begun yet, those of the
    others have come and are decided on top of it.
    """
    ids = [answer.run_id for answer in await house.batch([request(n) for n in range(count)])]
    await house.settle()
    house.faults.open.clear()
    house.faults.entered.clear()
    worker.finish(ids[0], 0)
    await house.faults.entered.wait()
    for n, run_id in enumerate(ids[1:], 1):
        worker.finish(run_id, n)
    return ids


async def test_frames_are_decided_while_a_commit_is_in_flight(house: House) -> None:
    worker = house.worker()
    ids = await in_flight(house, worker)
    assert not set(ids) & set(house.owner.state.lives)
    house.faults.open.set()
    await house.settle()
    assert [(await house.run(run_id)).output for run_id in ids] == ["0", "1", "2"]
    assert len([changes for changes in house.faults.changes if changes.done]) == 2
    assert await house.differences() == []


@pytest.mark.parametrize("end", ["lost", "kept", "refused"])
async def test_they_are_decided_again_when_it_fails(house: House, end: str) -> None:
    worker = house.worker()
    ids = await in_flight(house, worker)
    house.faults.next.append(end)
    house.faults.open.set()
    await house.settle()
    assert [(await house.run(run_id)).output for run_id in ids] == ["0", "1", "2"]
    assert await house.differences() == []


async def test_a_slot_freed_ahead_is_given_once_it_is_durable(house: House) -> None:
    worker = house.worker(slots=3)
    ids = await in_flight(house, worker)
    waiting = asyncio.ensure_future(house.trigger(9))
    await house.breathe()
    assert not set(worker.runs) - set(ids)
    house.faults.open.set()
    await waiting
    await house.settle()
    assert set(worker.runs) - set(ids)


async def test_a_takeover_in_between_leaves_them_to_the_new_owner(house: House) -> None:
    worker = house.worker()
    ids = await in_flight(house, worker)
    await house.take_over("server-2")
    house.faults.open.set()
    await house.breathe()
    lives = await house.store.live.active(house.owner.state.shard_id)
    assert sorted(row.run_id for row in lives) == sorted(ids)
