"""Waiting for runs, reading and steering them."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from mainspring import (
    InvalidOptions,
    NotFound,
    ResultTimeout,
    RunCanceled,
    RunFailed,
    queues,
    runs,
    tags,
    task,
    tasks,
)
from mainspring.errors import Misplaced
from mainspring.model.run import Run, RunError, RunFilter, RunPage, Status
from mainspring.sdk import transport
from mainspring.sdk.handles import Handle
from mainspring.wire import calls
from tests.sdk.conftest import Recorder, finished


@dataclasses.dataclass
class Report:
    pages: int


@task
async def report(n: int) -> Report:
    return Report(n)


async def test_a_result_has_the_type_of_the_task(engine: Recorder) -> None:
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, '{"pages":3}')
    handle = await report.trigger(3)
    assert await handle.result() == Report(3)
    assert await report.handle(handle.id).result(timeout=5) == Report(3)
    assert await runs.handle(handle.id).result() == {"pages": 3}


async def test_waiting_is_done_in_slices_until_the_run_is_final(engine: Recorder) -> None:
    states = iter([Status.QUEUED, Status.EXECUTING, Status.COMPLETED])
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, '{"pages":1}', next(states))
    assert await report.handle("run_a").result() == Report(1)
    assert engine.asked == [calls.AwaitRun("run_a", 30_000, whole=False)] * 3


async def test_a_timeout_bounds_the_slice_and_leaves_the_run_alone(engine: Recorder) -> None:
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, None, Status.EXECUTING)
    with pytest.raises(ResultTimeout, match="still executing after 0 seconds") as caught:
        await report.handle("run_a").result(timeout=0)
    assert engine.asked == [calls.AwaitRun("run_a", 0, whole=False)]
    assert caught.value.details == {"run_id": "run_a", "status": "executing"}
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, '{"pages":1}')
    await report.handle("run_a").result(timeout="5s")
    assert engine.asked[-1].timeout_ms <= 5_000
    with pytest.raises(InvalidOptions, match="timeout"):
        await report.handle("run_a").result(timeout="soon")


@pytest.mark.parametrize(
    "status, kind", [(Status.FAILED, RunFailed), (Status.CANCELED, RunCanceled)]
)
async def test_a_run_without_success_raises_its_stored_error(
    engine: Recorder, status: Status, kind: type[RunFailed]
) -> None:
    error = RunError("no paper", "OSError", "Traceback …")
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, None, status, error=error)
    with pytest.raises(RunFailed) as caught:
        await report.handle("run_a").result()
    assert type(caught.value) is kind
    assert caught.value.details is error
    assert "run_a" in caught.value.message
    assert ("OSError: no paper" in caught.value.message) == (status is Status.FAILED)


@pytest.mark.parametrize("status", [s for s in Status if s.is_final and s is not Status.COMPLETED])
async def test_every_other_end_is_a_failed_run_even_without_a_stored_error(
    engine: Recorder, status: Status
) -> None:
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, None, status)
    with pytest.raises(RunFailed):
        await report.handle("run_a").result()
    assert (await runs.poll("run_a")).status is status


async def test_a_handle_reads_cancels_and_reschedules(engine: Recorder) -> None:
    handle = report.handle("run_a")
    assert (await handle.run()).id == "run_a"
    await handle.cancel()
    await handle.reschedule("1h")
    assert engine.asked == [
        calls.Retrieve("run_a"),
        calls.CancelRun("run_a"),
        calls.RescheduleRun("run_a", delay_ms=3_600_000),
    ]


async def test_a_handle_keeps_to_the_engine_that_made_its_run(engine: Recorder) -> None:
    handle = await report.trigger(1)
    other = Recorder()
    with transport.using(other):
        await handle.run()
    assert other.asked == []
    assert engine.asked[-1] == calls.Retrieve(handle.id)


async def test_errors_of_the_engine_reach_the_caller(engine: Recorder) -> None:
    engine.answers[calls.Retrieve] = lambda _: NotFound("No run run_x.")
    with pytest.raises(NotFound, match="run_x"):
        await runs.retrieve("run_x")


async def test_runs_are_read_and_steered_by_id(engine: Recorder) -> None:
    await runs.retrieve("run_a")
    await runs.cancel("run_a")
    await runs.reschedule("run_a", "2026-01-31T00:00:00Z")
    await runs.add_tags("run_a", "x", "y")
    assert (await runs.explain("run_a")).gate == "queue_limit"
    same = await runs.replay("run_a")
    other = await runs.replay("run_a", payload=None)
    assert isinstance(same, Handle)
    assert other.id != same.id
    assert engine.asked == [
        calls.Retrieve("run_a"),
        calls.CancelRun("run_a"),
        calls.RescheduleRun("run_a", delay_until=1_769_817_600_000),
        calls.AddTags("run_a", ("x", "y")),
        calls.ExplainRun("run_a"),
        calls.ReplayRun("run_a"),
        calls.ReplayRun("run_a", "null"),
    ]


def pages_of(total: int) -> Any:
    def answer(ask: calls.ListRuns) -> RunPage:
        start = int(ask.filter.after or 0)
        end = min(total, start + ask.filter.limit)
        made = [Run(f"run_{n}", "t", Status.QUEUED, "q", 1, 0) for n in range(start, end)]
        return RunPage(made, str(end) if end < total else None)

    return answer


async def test_a_list_of_runs_asks_for_a_page_at_a_time(engine: Recorder) -> None:
    engine.answers[calls.ListRuns] = pages_of(250)
    assert [run.id async for run in runs.list()] == [f"run_{n}" for n in range(250)]
    assert len(engine.asked) == 3
    assert len([run async for run in runs.list(limit=30, page_size=20)]) == 30
    assert len(engine.asked) == 5
    assert [run async for run in runs.list(limit=0)] == []
    assert len(engine.asked) == 5


async def test_filters_of_a_list_reach_the_engine(engine: Recorder) -> None:
    found = runs.list(
        status=["failed", Status.CRASHED],
        task="mail",
        tag=["a", "b"],
        queue="q",
        version="v",
        batch_id="batch_1",
        is_test=False,
        created_from=datetime(2026, 1, 31, tzinfo=UTC),
        created_to=datetime(2026, 2, 1, tzinfo=UTC),
        page_size=7,
    )
    assert [run async for run in found] == []
    assert engine.asked[0].filter == RunFilter(
        status=(Status.FAILED, Status.CRASHED),
        task=("mail",),
        tag=("a", "b"),
        queue=("q",),
        version=("v",),
        batch_id="batch_1",
        is_test=False,
        created_from=1_769_817_600_000,
        created_to=1_769_904_000_000,
        limit=7,
    )
    assert [run async for run in runs.list(period="1h")] == []
    assert engine.asked[1].filter.created_from is not None


@pytest.mark.parametrize(
    "filters, said",
    [
        ({"status": "done"}, "'done' is not a valid Status; there are delayed"),
        ({"state": "failed"}, "No filter is named state; there are status"),
    ],
)
async def test_a_wrong_filter_says_what_is_allowed(
    engine: Recorder, filters: Any, said: str
) -> None:
    with pytest.raises(InvalidOptions, match=said):
        await anext(runs.list(**filters))


async def test_logs_are_read_to_their_end(engine: Recorder) -> None:
    lines = [calls.LogEntry(n, 0, "info", "m") for n in range(1, 1501)]
    engine.answers[calls.ListLogs] = lambda ask: calls.LogPage(
        lines[ask.after : ask.after + ask.limit]
    )
    assert [line.seq async for line in runs.logs("run_a")] == list(range(1, 1501))
    assert [line.seq async for line in runs.logs("run_a", after=1499)] == [1500]


async def test_queues_are_read_and_steered(engine: Recorder) -> None:
    assert (await queues.retrieve("mail")).queued == 3
    with pytest.raises(NotFound, match="'other'"):
        await queues.retrieve("other")
    assert (await queues.pause("mail")).paused
    assert not (await queues.resume("mail")).paused
    assert (await queues.set_limit("mail", 3)).limit == 3
    await queues.reset_limit("mail")
    assert engine.asked[-1] == calls.SetQueue("mail", reset=True)
    assert await tasks.list() == []


async def test_tags_are_added_to_the_current_run_only_in_one(
    engine: Recorder, in_run: object
) -> None:
    await tags.add("x")
    assert engine.asked == [calls.AddTags("run_a", ("x",))]


async def test_outside_a_run_there_is_none_to_tag(engine: Recorder) -> None:
    with pytest.raises(Misplaced, match="No run"):
        await tags.add("x")
