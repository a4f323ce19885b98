"""The embedded form: everything in the caller's process, and nothing left behind."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring import Context, ResultTimeout, task
from mainspring.app.embedded import Embedded
from mainspring.errors import ConfigurationError, StoreInUse
from mainspring.sdk import transport
from mainspring.sdk.registry import Registry, registry


@pytest.fixture(autouse=True)
def own_tasks() -> Iterator[None]:
    with registry.isolated():
        yield


async def test_a_triggered_task_runs_and_answers() -> None:
    @task
    async def hello(name: str) -> str:
        return f"Hello, {name}!"

    async with Embedded():
        handle = await hello.trigger(name="Ada")
        assert await handle.result(timeout=5) == "Hello, Ada!"


async def test_a_run_may_trigger_and_await_others() -> None:
    @task
    async def double(number: int) -> int:
        return number * 2

    @task
    async def double_all(numbers: list[int]) -> list[int]:
        handles = await double.batch_trigger([double.call(number) for number in numbers])
        return [await handle.result() for handle in handles]

    async with Embedded():
        handle = await double_all.trigger([1, 2, 3])
        assert await handle.result(timeout=5) == [2, 4, 6]


async def test_stopping_gives_the_default_transport_back() -> None:
    before = transport.install(None)
    try:
        async with Embedded():
            pass
        assert transport.install(None) is None
    finally:
        transport.install(before)


async def test_a_file_keeps_runs_over_a_restart(tmp_path: Path) -> None:
    @task
    async def hello() -> str:
        return "hello"

    database = str(tmp_path / "jobs" / "state.db")
    async with Embedded(database):
        first = await hello.trigger()
        await first.result(timeout=5)
    async with Embedded(database):
        assert await hello.handle(first.id).result(timeout=5) == "hello"


async def test_a_second_owner_of_the_file_is_refused(tmp_path: Path) -> None:
    database = str(tmp_path / "state.db")
    async with Embedded(database):
        with pytest.raises(StoreInUse):
            await Embedded(database).start()


async def test_a_lost_worker_costs_no_run() -> None:
    attempts: list[int] = []
    begun = asyncio.Event()

    @task
    async def slow(ctx: Context) -> str:
        attempts.append(ctx.epoch)
        begun.set()
        if len(attempts) == 1:
            await asyncio.Event().wait()
        return "done"

    async with Embedded() as embedded:
        handle = await slow.trigger()
        await begun.wait()
        await embedded.crash_worker()
        assert await handle.result(timeout=5) == "done"
    assert attempts == sorted(set(attempts))
    assert len(attempts) == 2


async def test_what_is_cut_off_by_the_stop_runs_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.app.embedded.DRAIN_S", 0.01)
    begun, proceed = asyncio.Event(), asyncio.Event()

    @task
    async def slow() -> str:
        begun.set()
        await proceed.wait()
        return "done"

    database = str(tmp_path / "state.db")
    async with Embedded(database):
        handle = await slow.trigger()
        await begun.wait()
        with pytest.raises(ResultTimeout):
            await handle.result(timeout=0.01)
    proceed.set()
    async with Embedded(database):
        assert await slow.handle(handle.id).result(timeout=5) == "done"


async def test_a_start_that_fails_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    embedded = Embedded(str(tmp_path / "file" / "state.db"))
    with pytest.raises(ConfigurationError):
        await embedded.start()
    await embedded.stop()


async def test_it_executes_only_the_tasks_it_was_given() -> None:
    @task
    async def hello() -> str:
        return "hello"

    mine = Registry()
    mine.tasks["hello"] = hello
    async with Embedded(tasks=mine):
        assert await (await hello.trigger()).result(timeout=5) == "hello"
