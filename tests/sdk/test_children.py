"""Children: triggered once, awaited without a slot; results and errors come to the parent."""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from mainspring import (
    InvalidOptions,
    Misplaced,
    RunCanceled,
    RunFailed,
    gather,
    step,
    sync,
    task,
    tasks,
)
from mainspring.model.run import RunError
from mainspring.sdk.signals import Divergence
from mainspring.wire import calls
from tests.sdk.durable import Run, ran


@dataclass
class Size:
    width: int


@pytest.fixture
def resize() -> Any:
    @task
    async def resize(path: str) -> Size:
        return Size(len(path))

    return resize


@pytest.fixture
def count() -> Any:
    @task
    def count(n: int = 0) -> int:
        return n

    return count


async def finish(run: Run, key: str, *outputs: str | RunError) -> None:
    """All children of a wait have ended."""
    assert key in await run.waits()
    wait, _ = run.port.waits[key]
    for run_id, output in zip(wait.points, outputs, strict=True):
        if isinstance(output, str):
            run.port.ended(run_id, output)
        else:
            run.port.ended(run_id, None, output)
    run.port.resolve(key)


async def test_a_child_is_made_once_and_its_result_comes_typed(resize: Any) -> None:
    body = lambda: resize.with_options(tags="a").trigger_and_wait("ab")  # noqa: E731
    run = Run(body)
    await run.until_blocked()
    (made,) = run.port.asked
    assert (made.key, made.generation, made.requests[0].options.tags) == (
        "trigger:resize",
        0,
        ("a",),
    )
    assert made.requests[0].options.parent_id == "run_a"
    wait, _ = run.port.waits["wait:run:resize"]
    assert (wait.kind, wait.points) == ("run", ["run_resize_1"])
    await finish(run, "wait:run:resize", '{"width":2}')
    assert await run.task == Size(2)
    again = Run(body, run.port.entries)
    again.port.outcomes = run.port.outcomes
    assert await again.task == Size(2)
    assert [type(asked) for asked in again.port.asked] == [calls.GetOutcomes]


async def test_a_replay_waits_for_the_child_that_was_made_before(resize: Any) -> None:
    body = lambda: resize.trigger_and_wait("ab")  # noqa: E731
    run = Run(body)
    await run.until_blocked()
    again = Run(body, await run.lose())
    await finish(again, "wait:run:resize", '{"width":2}')
    assert await again.task == Size(2)
    assert [type(asked) for asked in again.port.asked] == [calls.GetOutcomes]


async def test_a_child_without_success_raises_its_error(count: Any) -> None:
    run = Run(lambda: count.trigger_and_wait(1))
    await finish(run, "wait:run:count", RunError("no disk", "OSError"))
    with pytest.raises(RunFailed, match="ended as failed: OSError: no disk") as caught:
        await run.task
    assert caught.value.details == RunError("no disk", "OSError")
    run = Run(lambda: count.trigger_and_wait(1))
    await run.until_blocked()
    run.port.outcomes["run_count_1"] = calls.Outcome("run_count_1", "count", "canceled")
    run.port.resolve("wait:run:count")
    with pytest.raises(RunCanceled):
        await run.task


async def test_a_batch_comes_back_in_order_and_is_asked_for_in_pages(count: Any) -> None:
    run = Run(lambda: count.batch_trigger_and_wait([count.call(n) for n in range(250)]))
    await finish(run, "wait:run:count", *map(str, range(250)))
    assert await run.task == list(range(250))
    pages = [a for a in run.port.asked if isinstance(a, calls.GetOutcomes)]
    assert [len(page.run_ids) for page in pages] == [100, 100, 50]


async def test_errors_of_a_batch_are_raised_in_order_or_given_in_place(count: Any) -> None:
    for keep in (False, True):
        run = Run(
            lambda keep=keep: count.batch_trigger_and_wait(
                [count.call(1), count.call(2), count.call(3)], return_exceptions=keep
            )
        )
        await finish(run, "wait:run:count", "1", RunError("b"), RunError("c"))
        if keep:
            one, two, three = await run.task
            assert one == 1
            assert (two.details.message, three.details.message) == ("b", "c")
        else:
            with pytest.raises(RunFailed, match=r"b$"):
                await run.task


async def test_gather_runs_calls_of_several_tasks(resize: Any, count: Any) -> None:
    run = Run(lambda: gather(resize.call("abc"), count.call(2), tasks.call("far", 1)))
    await finish(run, "wait:run:batch", '{"width":3}', "2", '"x"')
    assert await run.task == (Size(3), 2, "x")
    assert run.port.keys == ["trigger:batch", "wait:run:batch"]


async def test_an_empty_batch_says_nothing(count: Any) -> None:
    async def body() -> Any:
        return await count.batch_trigger_and_wait([]), await gather(), await tasks.batch([])

    result, entries = await ran(body)
    assert result == ([], (), [])
    assert entries == []


async def test_one_child_for_two_calls_of_one_idempotency_key(count: Any) -> None:
    run = Run(lambda: gather(count.call(1), count.call(1)))
    run.port._make = lambda item: calls.TriggerAnswer("run_count_1", True)  # type: ignore
    await finish(run, "wait:run:count", "7")
    assert await run.task == (7, 7)


async def test_plain_triggers_in_a_run_are_kept_too(count: Any) -> None:
    async def body() -> Any:
        first, second = await count.trigger(1), await count.trigger(2)
        both = await count.batch_trigger([count.call(3), count.call(4)])
        far = await tasks.trigger("a/b#1", {"n": 1})
        return [h.id for h in (first, second, *both, far)]

    run = Run(body)
    first = await run.task
    assert run.port.keys == [
        "trigger:count",
        "trigger:count#1",
        "trigger:count#2",
        "trigger:a%2fb%231",
    ]
    assert msgspec.json.decode(run.port.entries[2].data or "") == [
        ["run_count_3", False],
        ["run_count_4", False],
    ]
    again = Run(body, run.port.entries)
    assert await again.task == first
    assert again.port.asked == []


async def test_another_payload_in_the_same_place_is_a_divergence(count: Any) -> None:
    _, entries = await ran(lambda: count.trigger(1))
    with pytest.raises(Divergence):
        await ran(lambda: count.trigger(2), entries)


async def test_places_are_taken_when_triggers_are_called(count: Any) -> None:
    async def body() -> None:
        made = [asyncio.create_task(count.trigger(n)) for n in range(2)]
        await asyncio.gather(*reversed(made))

    _, entries = await ran(body)
    assert sorted(e.key for e in entries) == ["trigger:count", "trigger:count#1"]


async def test_def_tasks_have_children_too(count: Any) -> None:
    def body() -> Any:
        made = count.trigger_sync(1).id
        return [made, count.trigger_and_wait_sync(2), sync.gather(count.call(3))]

    run = Run(lambda: asyncio.to_thread(body))
    for key, output in (("wait:run:count", "2"), ("wait:run:count#1", "3")):
        await run.port.begun(key)
        (run_id,) = run.port.waits[key][0].points
        run.port.ended(run_id, output)
        run.port.resolve(key)
    assert await run.task == ["run_count_1", 2, (3,)]


async def test_children_are_refused_where_they_make_no_sense(count: Any) -> None:
    async def in_step() -> None:
        await count.trigger(1)

    with pytest.raises(Misplaced, match="inside the body of step 'a'"):
        await ran(lambda: step("a", in_step))
    with pytest.raises(Misplaced, match="outside a run"):
        count.trigger_and_wait(1)
    with pytest.raises(InvalidOptions, match="your own transaction"):
        await ran(lambda: count.with_options(connection=object()).trigger_and_wait(1))
    with pytest.raises(InvalidOptions, match="1,000 are allowed"):
        await ran(lambda: count.batch_trigger_and_wait([count.call(1)] * 1001))


async def test_an_outcome_that_is_not_kept_any_more_is_an_error(count: Any) -> None:
    run = Run(lambda: count.trigger_and_wait(1))
    await run.until_blocked()
    run.port.resolve("wait:run:count")
    with pytest.raises(RunFailed, match="not kept any more"):
        await run.task
