"""Failure hooks are a run of their own, made in the commit that ends another run badly."""

import msgspec
import pytest

from mainspring.engine.deaths import LOSSES
from mainspring.model.retry import RetryPolicy
from mainspring.model.run import RunError
from mainspring.model.task import TaskSpec, default_queue
from tests.engine.house import DAY, House

ONCE = RetryPolicy(max_attempts=1)
HOOKED = TaskSpec("work", default_queue("work"), ONCE, on_failure=True)
HOOKS = TaskSpec("work:on_failure", default_queue("work:on_failure"))
BROKEN = RunError("the disk is full", "OSError")


async def hooks_of(house: House, run_id: str) -> list[str]:
    """Ids of the runs that call the hooks for a run."""
    page = await house.page(task=("work:on_failure",))
    made = [await house.run(run.id) for run in page.runs]
    return [
        run.id
        for run in made
        if run.parent_id == run_id and msgspec.json.decode(run.payload or "") == {"run": run_id}
    ]


@pytest.mark.parametrize(
    "outcome", ["failed", "aborted", "crashed", "timed_out", "invalid_payload"]
)
async def test_a_bad_end_makes_the_run_that_calls_the_hooks(house: House, outcome: str) -> None:
    worker = house.worker(HOOKED, HOOKS)
    run_id = await house.trigger()
    worker.finish(run_id, outcome=outcome, error=BROKEN)
    await house.settle()
    (hook,) = await hooks_of(house, run_id)
    assert worker.runs[hook].task == "work:on_failure"
    assert (worker.runs[hook].root_id, worker.runs[hook].depth) == (run_id, 1)
    worker.finish(hook, outcome="failed", error=BROKEN)
    await house.settle()
    assert await hooks_of(house, hook) == []
    assert await house.differences() == []


async def test_an_attempt_that_is_not_the_last_makes_none(house: House) -> None:
    worker = house.worker(msgspec.structs.replace(HOOKED, retry=RetryPolicy(max_attempts=2)), HOOKS)
    run_id = await house.trigger()
    worker.finish(run_id, outcome="failed", error=BROKEN)
    await house.settle()
    assert await hooks_of(house, run_id) == []
    await house.advance(10_000)
    worker.finish(run_id, outcome="failed", error=BROKEN)
    await house.settle()
    assert len(await hooks_of(house, run_id)) == 1


async def test_success_cancel_and_expiry_make_none(house: House) -> None:
    worker = house.worker(HOOKED, HOOKS, slots=1)
    done = await house.trigger()
    canceled = await house.trigger()
    worker.finish(done)
    await house.settle()
    await house.cancel(canceled)
    worker.finish(canceled, outcome="canceled")
    await house.settle()
    busy = await house.trigger()
    expired = await house.trigger(ttl_ms=1000)
    await house.advance(DAY)
    assert await house.status(expired) == "expired"
    worker.finish(busy)
    await house.settle()
    for run_id in (done, canceled, expired):
        assert await hooks_of(house, run_id) == []


async def test_a_run_whose_workers_die_has_its_hooks_called(house: House) -> None:
    worker = house.worker(HOOKED, HOOKS)
    run_id = await house.trigger()
    worker.begin(run_id)
    for _ in range(LOSSES + 1):
        worker.drop()
        await house.live(20_000)
        worker = house.worker(HOOKED, HOOKS)
        await house.settle()
        if run_id in worker.runs:
            worker.begin(run_id)
            await house.settle()
    assert await house.status(run_id) == "crashed"
    assert len(await hooks_of(house, run_id)) == 1


async def test_a_task_without_hooks_makes_none(house: House) -> None:
    worker = house.worker(msgspec.structs.replace(HOOKED, on_failure=False), HOOKS)
    run_id = await house.trigger()
    worker.finish(run_id, outcome="failed", error=BROKEN)
    await house.settle()
    assert await hooks_of(house, run_id) == []


async def test_the_run_is_there_once_when_the_commit_of_the_end_was_in_doubt(house: House) -> None:
    for doubt in ("kept", "lost"):
        worker = house.worker(HOOKED, HOOKS)
        run_id = await house.trigger()
        house.faults.next.append(doubt)
        worker.finish(run_id, outcome="failed", error=BROKEN)
        await house.settle()
        assert await house.status(run_id) == "failed"
        assert len(await hooks_of(house, run_id)) == 1
    assert await house.differences() == []
