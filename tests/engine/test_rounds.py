"""The audit that goes round while the owner works: it finds nothing, unless memory is wrong."""

import asyncio

import pytest

from mainspring.engine.rounds import WALK
from mainspring.errors import StoreUnavailable
from tests.engine.house import House


async def test_a_round_finds_nothing_while_runs_come_and_go(house: House) -> None:
    worker = house.worker(slots=3)
    for number in range(6):
        await house.trigger(number)
    await house.engine.tick()
    await house.settle()
    for run_id in list(worker.runs):
        worker.finish(run_id)
        await house.engine.tick()
        await house.settle()
    assert house.owner.rounds.differences == 0
    epoch = house.owner.epoch
    await house.engine.tick()
    await house.settle()
    assert house.owner.epoch == epoch


async def test_a_run_that_memory_has_lost_is_found_and_read_anew(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    house.may_differ = True
    live = house.owner.state.lives.pop(run_id)
    live.session.holds.discard(run_id)
    await house.engine.tick()
    await house.settle()
    assert house.owner.rounds.differences > 0
    assert run_id in house.owner.state.lives
    assert await house.differences() == []
    worker.finish(run_id, 1)
    await house.settle()
    assert await house.status(run_id) == "completed"


async def test_the_table_itself_is_walked_now_and_then(house: House) -> None:
    worker = house.worker(slots=2)
    first, second = await house.trigger(1), await house.trigger(2)
    await house.engine.tick()
    await house.settle()
    house.may_differ = True
    live = house.owner.state.lives.pop(first)
    live.session.holds.discard(first)
    worker.begin(second)
    await house.settle()
    await house.engine.tick()
    await house.settle()
    assert house.owner.rounds.differences == 0
    for _ in range(WALK):
        house.owner.rounds.ring(house.owner.commits)
    worker.finish(second)
    await house.settle()
    await house.engine.tick()
    await house.settle()
    assert house.owner.rounds.differences > 0
    assert first in house.owner.state.lives


async def test_a_count_that_is_wrong_is_healed(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    house.may_differ = True
    [env] = house.owner.state.core.tree.environments.values()
    env.queues["task/work"].running += 1
    await house.engine.tick()
    await house.settle()
    assert house.owner.rounds.differences == 1
    assert await house.differences() == []


async def test_what_a_new_owner_has_changed_is_no_difference(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    old, owner = house.engine, house.owner
    await house.take_over("server-2")
    worker.connect()
    worker.finish(run_id)
    await house.settle()
    owner.rounds.is_due = True
    owner.ring()
    await owner.turn_over()
    assert owner.is_over
    assert owner.rounds.differences == 0
    assert not old.ready


async def test_what_an_owner_that_stops_cannot_read_anew_is_no_difference(house: House) -> None:
    house.worker()
    house.faults.open.clear()
    triggering = asyncio.ensure_future(house.trigger())
    await house.faults.entered.wait()
    rounds = house.owner.rounds
    stopping = asyncio.ensure_future(house.engine.stop())
    await house.breathe()
    rounds.is_due = True
    house.faults.next.append("lost")
    house.faults.open.set()
    await stopping
    with pytest.raises(StoreUnavailable):
        await triggering
    assert rounds.differences == 0
