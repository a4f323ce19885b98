"""`result()` and `poll()` in the code of a run: in the slot for a moment, durable from then on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mainspring import ResultTimeout, RunCanceled, RunFailed, hooks, runs, step, task
from mainspring.errors import NotFound
from mainspring.model.run import RunError, Status
from mainspring.sdk import ends
from mainspring.sdk.hooks import Waiting
from mainspring.wire import calls
from mainspring.wire.worker import Entry
from tests.sdk.conftest import Recorder, finished
from tests.sdk.durable import Run, idle

KEY = "wait:run:run_t_1"


@task
async def count(n: int = 0) -> int:
    return n


def executed(body: Callable[[], Awaitable[Any]], *journal: Any, epoch: int = 1) -> Run:
    return Run(body, *journal, epoch=epoch)


def result(timeout: Any = None) -> Callable[[], Awaitable[Any]]:
    return lambda: count.handle("run_t_1").result(timeout)


def asked(run: Run) -> list[type]:
    return [type(request) for request in run.port.asked]


async def test_a_run_that_ends_within_a_moment_is_not_waited_for_without_a_slot() -> None:
    run = executed(result())
    run.port.ended("run_t_1", "7")
    assert await run.task == 7
    assert run.port.asked == [calls.AwaitRun("run_t_1", ends.HOT_MS, False, True)]
    assert run.port.waits == {}
    assert [(entry.key, entry.kind, entry.status) for entry in run.port.entries] == [
        (KEY, "run", "completed")
    ]


async def test_one_that_takes_longer_is_a_durable_wait() -> None:
    run = executed(result())
    assert await run.waits() == {KEY}
    wait, _ = run.port.waits[KEY]
    assert (wait.kind, wait.points, wait.after_ms) == ("run", ["run_t_1"], None)
    run.port.ended("run_t_1", "8")
    run.port.resolve(KEY)
    assert await run.task == 8
    assert asked(run) == [calls.AwaitRun, calls.GetOutcomes]


async def test_a_replay_gets_the_answer_without_waiting() -> None:
    run = executed(result())
    run.port.ended("run_t_1", "7")
    await run.task
    again = executed(result(), run.port.entries, epoch=2)
    again.port.outcomes = run.port.outcomes
    assert await again.task == 7
    assert asked(again) == [calls.GetOutcomes]


async def test_a_wait_of_an_earlier_epoch_is_not_overtaken() -> None:
    run = executed(result(timeout="1h"))
    await run.until_blocked()
    again = executed(result(timeout="1h"), await run.lose(), epoch=2)
    again.port.ended("run_t_1", "7")  # too late, says the wait that is still open
    assert await again.waits() == {KEY}
    assert again.port.asked == [calls.AwaitRun("run_t_1", 0, False, True)]
    again.port.resolve(KEY, status="timed_out")
    with pytest.raises(ResultTimeout):
        await again.task


async def test_a_timeout_is_an_answer_that_a_replay_repeats() -> None:
    said = []
    run = executed(result(timeout="2m"))
    await run.until_blocked()
    assert run.port.waits[KEY][0].after_ms == 120_000
    run.port.resolve(KEY, status="timed_out")
    with pytest.raises(ResultTimeout, match="within 2m seconds") as caught:
        await run.task
    said.append(str(caught.value))
    again = executed(result(timeout="2m"), run.port.entries, epoch=2)
    again.port.ended("run_t_1", "7")
    with pytest.raises(ResultTimeout) as caught:
        await again.task
    said.append(str(caught.value))
    assert said[0] == said[1]
    assert again.port.asked == []


async def test_a_timeout_of_nothing_is_kept_too_and_never_waits() -> None:
    run = executed(result(timeout=0))
    with pytest.raises(ResultTimeout):
        await run.task
    assert run.port.asked == [calls.AwaitRun("run_t_1", 0, False, False)]
    assert [(entry.key, entry.status) for entry in run.port.entries] == [(KEY, "timed_out")]


@pytest.mark.parametrize("seen", ["at once", "later", "again"])
async def test_a_run_without_success_raises_the_same_however_its_end_was_seen(seen: str) -> None:
    entries = [Entry(KEY, 1, "run")] if seen == "again" else []
    run = executed(result(), entries)
    if seen == "later":
        await run.until_blocked()
    run.port.ended("run_t_1", None, RunError("no disk", "OSError"))
    if seen == "later":
        run.port.resolve(KEY)
    with pytest.raises(RunFailed, match=r"run_t_1 of task t ended as failed: OSError: no disk$"):
        await run.task
    run = executed(result(), entries)
    run.port.outcomes["run_t_1"] = calls.Outcome("run_t_1", "t", "canceled")
    with pytest.raises(RunCanceled):
        await run.task


async def test_a_run_that_is_unknown_is_not_waited_for() -> None:
    for epoch in (1, 2):
        run = executed(result(), epoch=epoch)

        async def unknown(request: Any) -> Any:
            raise NotFound("No run.")

        run.port.call = unknown  # type: ignore[method-assign]
        with pytest.raises(NotFound):
            await run.task
        assert (run.port.waits, run.port.entries) == ({}, [])


async def test_several_are_awaited_side_by_side_and_have_places_of_their_own() -> None:
    async def body() -> Any:
        handles = [count.handle(f"run_t_{n}") for n in range(3)]
        return await asyncio.gather(*(handle.result() for handle in handles))

    run = executed(body)
    run.port.ended("run_t_1", "1")
    assert await run.waits() == {"0/wait:run:run_t_0", "2/wait:run:run_t_2"}
    for n in (0, 2):
        run.port.ended(f"run_t_{n}", str(n))
        run.port.resolve(f"{n}/wait:run:run_t_{n}")
    assert await run.task == [0, 1, 2]


async def test_poll_waits_in_the_same_way_and_gives_the_run() -> None:
    for poll in (lambda: count.handle("run_t_1").poll(), lambda: runs.poll("run_t_1")):
        run = executed(poll)
        await run.until_blocked()
        run.port.ended("run_t_1", None, RunError("x"))
        run.port.resolve(KEY)
        assert (await run.task).status is Status.FAILED
        again = executed(poll, run.port.entries, epoch=2)
        again.port.outcomes = run.port.outcomes
        assert (await again.task).status is Status.FAILED


async def test_blocking_forms_wait_in_the_same_way() -> None:
    def body() -> list[Any]:
        handle = count.handle("run_t_1")
        return [handle.result_sync(), handle.poll_sync().id]

    run = executed(lambda: asyncio.to_thread(body))
    await run.port.begun(KEY)
    run.port.ended("run_t_1", "9")
    run.port.resolve(KEY)
    assert await run.task == [9, "run_t_1"]
    assert run.port.keys == [KEY, f"{KEY}#1"]


async def test_in_a_step_the_run_keeps_its_slot(engine: Recorder) -> None:
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, "5")
    handle = count.handle("run_t_1")
    handle._transport = engine
    run = executed(lambda: step("all", handle.result))
    assert await run.task == 5
    assert run.port.keys == ["all"]
    assert engine.asked == [calls.AwaitRun("run_t_1", 30_000, whole=False)]


async def test_so_it_does_for_a_run_of_another_server_and_in_hooks_around_waits(
    engine: Recorder,
) -> None:
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, "5")
    handle = count.handle("run_t_1")
    handle._transport = engine
    run = executed(handle.result)
    assert await run.task == 5
    told: list[Any] = []

    with hooks.isolated():

        @hooks.on_wait
        async def waits(ctx: Any, waits: list[Waiting]) -> None:
            told.append(ends.journal_here(None))

        async def body() -> None:
            told.append(ends.journal_here(None))
            await hooks.before_wait(count, run.ctx, [])

        run = executed(body)
        await run.task
    assert told == [run.journal, None]


async def test_a_canceled_run_stops_to_wait_at_once() -> None:
    for blocked in (False, True):
        run = executed(result())
        if not blocked:
            run.port.moment.clear()
            await idle()
        else:
            await run.until_blocked()
        run.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run.task
        assert run.port.entries == []
