"""Runs that end the processes they execute in: who is held responsible, and who is not."""

from __future__ import annotations

import pytest

from mainspring.engine import deaths
from mainspring.model.run import RunError
from mainspring.model.task import TaskSpec
from mainspring.wire.worker import Entry
from tests.engine.house import House, Worker

SEGV = RunError("The run's process was killed by SIGSEGV.", code="process_killed")


async def begun(house: House, worker: Worker, count: int) -> list[str]:
    ids = [await house.trigger() for _ in range(count)]
    await house.settle()
    worker.begin(*ids)
    await house.settle()
    return ids


async def dies(house: House, worker: Worker, how: str = "crashed", *, apart: bool = True) -> Worker:
    """The process dies, and another worker is there once suspects go on."""
    worker.die(how)
    await house.settle()
    successor = house.worker(apart=apart)
    await house.advance(deaths.PAUSE_MS)
    successor.begin(*successor.runs)
    await house.settle()
    return successor


async def test_a_run_that_ends_three_processes_alone_is_a_poison_run(house: House) -> None:
    worker = house.worker()
    (run_id,) = await begun(house, worker, 1)
    for _ in range(deaths.DEATHS):
        assert await house.status(run_id) == "executing"
        worker = await dies(house, worker, apart=False)
    run = await house.run(run_id)
    assert (run.status, run.attempt) == ("crashed", 1)
    assert run.error is not None
    assert (run.error.code, run.error.details) == ("poison_run", {"deaths": 3})
    assert "ended 3 processes" in run.error.message
    assert await house.leftovers() == []


async def test_of_several_each_gets_a_process_and_only_the_guilty_one_ends(house: House) -> None:
    worker = house.worker()
    ids = await begun(house, worker, 4)
    assert not any(order.apart for order in worker.runs.values())
    worker = await dies(house, worker)
    assert {run_id for run_id, order in worker.runs.items() if order.apart} == set(ids)
    guilty, *innocent = ids
    for _ in range(deaths.DEATHS):
        worker.begin(guilty)
        worker.finish(guilty, outcome="crashed", error=SEGV)
        await house.settle()
        await house.advance(deaths.PAUSE_MS)
    assert (await house.run(guilty)).error.code == "poison_run"  # type: ignore[union-attr]
    for run_id in innocent:
        worker.finish(run_id)
    await house.settle()
    assert await house.counts() == {"crashed": 1, "completed": 3}
    assert {(await house.run(run_id)).attempt for run_id in ids} == {1}


async def test_who_shares_processes_with_a_poison_run_does_not_end(house: House) -> None:
    worker = house.worker()
    ids = await begun(house, worker, 2)
    for _ in range(deaths.DEATHS + 1):  # no worker can give them processes
        worker = await dies(house, worker, apart=False)
    assert {await house.status(run_id) for run_id in ids} == {"executing"}


async def test_suspects_go_to_a_worker_that_can_give_them_a_process(house: House) -> None:
    first = house.worker(slots=1)
    (run_id,) = await begun(house, first, 1)
    plain, able = house.worker(), house.worker(apart=True)
    first.die()
    await house.settle()
    await house.advance(deaths.PAUSE_MS)
    assert (run_id in plain.runs, run_id in able.runs) == (False, True)


@pytest.mark.parametrize("how", ["", "killed"])
async def test_who_was_told_to_end_or_was_killed_is_held_against_nobody(
    house: House, how: str
) -> None:
    worker = house.worker()
    (run_id,) = await begun(house, worker, 1)
    worker.die(how)
    await house.settle()
    worker = house.worker()
    await house.settle()
    for _ in range(deaths.KILLS - 1):
        assert not worker.runs[run_id].apart  # at once
        worker.begin(run_id)
        worker = await dies(house, worker, how, apart=False)
    assert await house.status(run_id) == "executing"
    assert worker.runs[run_id].apart is (how == "killed")  # now it may be its own memory


async def test_a_run_that_comes_on_is_no_suspect_any_more(house: House) -> None:
    worker = house.worker()
    (run_id,) = await begun(house, worker, 1)
    for number in range(2 * deaths.DEATHS):
        worker = await dies(house, worker)
        assert worker.runs[run_id].apart
        worker.record(run_id, Entry(f"step#{number}", number + 1, "step", data="1"))
        await house.settle()
    worker.drop()
    await house.live(20_000)
    worker = house.worker()
    await house.settle()
    assert not worker.runs[run_id].apart


async def test_a_suspect_stays_one_when_the_server_is_another(house: House) -> None:
    worker = house.worker()
    (run_id,) = await begun(house, worker, 1)
    worker.die()
    await house.settle()
    await house.crash()
    worker = house.worker(apart=True)
    await house.advance(deaths.PAUSE_MS)
    assert worker.runs[run_id].apart


async def test_a_task_with_processes_of_its_own_keeps_its_retry_policy(house: House) -> None:
    worker = house.worker(TaskSpec("work", "work", isolation="process"))
    (run_id,) = await begun(house, worker, 1)
    worker.finish(run_id, outcome="crashed", error=SEGV)
    await house.settle()
    await house.advance(12_000)
    assert worker.runs[run_id].attempt == 2
