"""Batches as their callers hold them: one id, handles in order, pieces that come once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from mainspring import Context, batches, sync, task, tasks
from mainspring.app.embedded import Embedded
from mainspring.errors import NotFound
from mainspring.model.run import Status
from mainspring.sdk.batch import PIECE
from mainspring.sdk.call import Call
from mainspring.sdk.registry import registry
from mainspring.wire import calls as wire


@pytest.fixture(autouse=True)
def own_tasks() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
def double() -> Any:
    @task
    async def double(n: int) -> int:
        return n * 2

    return double


@pytest.fixture
async def platform(double: Any) -> AsyncIterator[Embedded]:
    async with Embedded() as platform:
        yield platform


async def test_a_batch_is_a_list_of_handles_with_an_id(platform: Embedded, double: Any) -> None:
    batch = await double.batch_trigger([double.call(n) for n in range(3)])
    assert [await handle.result(5) for handle in batch] == [0, 2, 4]
    assert {await handle.status() for handle in batch} == {Status.COMPLETED}
    found = await batches.retrieve(batch.id)
    assert (found.status, found.run_count, found.errors) == ("completed", 3, [])
    assert found.runs == [handle.id for handle in batch]
    assert [run.output async for run in batches.runs(batch.id)] == ["0", "2", "4"]
    assert (await batch[0].run()).batch_id == batch.id
    assert (await double.batch_trigger([])).id == ""
    with pytest.raises(NotFound, match="No batch"):
        await batches.retrieve("batch_unknown")


async def test_several_tasks_are_one_batch(platform: Embedded, double: Any) -> None:
    batch = await tasks.batch([double.call(1), tasks.call("double", {"n": 2})])
    assert len((await batches.retrieve(batch.id)).runs) == 2
    same = await tasks.batch_trigger("double", [{"n": 3}, {"n": 4}])
    assert [await handle.result(5) for handle in same] == [6, 8]


async def test_more_than_a_thousand_calls_are_one_batch(platform: Embedded, double: Any) -> None:
    calls = [double.call(n) for n in range(2 * PIECE + 7)]
    batch = await double.batch_trigger(calls)
    assert len(batch) == len(calls)
    found = await batches.retrieve(batch.id)
    assert (found.run_count, found.received) == (len(calls), len(calls))
    assert await batch[-1].result(20) == (len(calls) - 1) * 2


async def test_calls_may_come_from_an_async_iterator(platform: Embedded, double: Any) -> None:
    async def come() -> AsyncIterator[Call[int]]:
        for n in range(PIECE + 1):
            yield double.call(n)

    batch = await batches.trigger(come())
    assert (len(batch), batch.missing) == (PIECE + 1, ())
    assert (await batches.trigger([])).id == ""


async def test_a_call_that_cannot_be_triggered_has_no_handle(
    platform: Embedded, double: Any
) -> None:
    batch = await batches.trigger([double.call(1), tasks.call("nobody", 1), double.call(3)])
    assert (len(batch), batch.missing) == (2, (1,))
    assert [await handle.result(5) for handle in batch] == [2, 6]
    [error] = (await batches.retrieve(batch.id)).errors
    assert (error.number, error.code) == (1, "UNKNOWN_TASK")


async def test_a_batch_with_a_key_goes_on_where_it_was_left(
    platform: Embedded, double: Any
) -> None:
    def broken() -> Iterator[Call[int]]:
        for n in range(PIECE + 5):
            yield double.call(n)
        raise ConnectionError("the source broke")

    with pytest.raises(ConnectionError):
        await batches.trigger(broken(), idempotency_key="import-7")
    calls = [double.call(n) for n in range(PIECE + 5)]
    batch = await batches.trigger(calls, idempotency_key="import-7")
    found = await batches.retrieve(batch.id)
    assert (found.received, len(set(found.runs))) == (PIECE + 5, PIECE + 5)
    again = await batches.trigger(calls, idempotency_key="import-7")
    assert [handle.id for handle in again] == [handle.id for handle in batch]


async def test_the_code_of_a_run_makes_a_batch_once(double: Any) -> None:
    seen: list[list[str]] = []

    @task
    async def parent(ctx: Context) -> list[str]:
        whole = await double.batch_trigger([double.call(1), double.call(2)])
        piecewise = await batches.trigger([double.call(3)])
        seen.append([whole.id, piecewise.id, *(handle.id for handle in [*whole, *piecewise])])
        if ctx.attempt == 1:
            raise ConnectionError("once more")
        return seen[-1]

    async with Embedded() as platform:
        handle = await parent.with_options(max_attempts=2).trigger()
        ids = await handle.result(20)
        assert seen[0] == seen[1] == ids
        run = await batches.retrieve(ids[0])
        assert run.runs == ids[2:4]
        page = await platform.answer(wire.ListRuns(wire.RunFilter(task=("double",))), None)
        assert len(page.runs) == 3
        assert {child.parent_id for child in page.runs} == {handle.id}


async def test_blocking_code_has_the_same_forms(double: Any) -> None:
    @task
    def parent() -> list[int]:
        batch = double.batch_trigger_sync([double.call(n) for n in range(2)])
        state = sync.run(batches.retrieve(batch.id))
        return [len(batch), state.run_count]

    async with Embedded():
        assert await (await parent.trigger()).result(20) == [2, 2]
