"""Failure hooks as work of their own: what they are told, and what a repetition calls again."""

from typing import Any

import pytest

from mainspring import Context, RunFailed, hooks, metadata, task
from mainspring.errors import InvalidPayload, InvalidTask
from mainspring.model.run import RunError, Status
from mainspring.sdk import transport
from mainspring.sdk.registry import registry
from mainspring.sdk.step import step
from mainspring.wire import calls
from mainspring.wire.worker import Entry
from tests.sdk.conftest import Recorder, finished
from tests.sdk.durable import Run

ERROR = RunError("no net", "OSError")


def server() -> Recorder:
    """It knows one run that has failed."""
    recorder = Recorder()
    recorder.answers[calls.Retrieve] = lambda ask: finished(
        ask.run_id, None, Status.FAILED, error=ERROR, payload='{"n":7}', attempt=3, tags=("t",)
    )
    return recorder


async def called(made: Any, entries: list[Entry] | None = None, attempt: int = 1) -> list[Entry]:
    """Have a worker execute the run that calls the hooks; what its journal has then."""
    failing = registry.executables()[f"{made.id}:on_failure"]
    args, _ = failing.bind_payload('{"run":"run_x"}')

    async def body() -> None:
        with transport.using(server()):
            await failing.func(*args)

    run = Run(body, entries, run_id="run_h", task=failing.id, attempt=attempt)
    try:
        await run.task
    finally:
        kept = run.port.entries
    return kept


def test_a_task_with_failure_hooks_is_told_to_the_server_with_the_one_that_calls_them() -> None:
    @task
    async def bare() -> None: ...

    @task
    async def work() -> None: ...

    @work.on_complete
    async def note(ctx: Context, result: hooks.Result) -> None: ...

    told = {spec.id: spec.on_failure for spec in registry.specs()[0]}
    assert told == {"bare": False, "work": True, "work:on_failure": False}
    hooks.on_failure(note)
    assert [spec.on_failure for spec in registry.specs()[0]] == [True, False, True, False]


async def test_the_hooks_get_the_failed_run_its_error_and_its_payload() -> None:
    seen: list[Any] = []

    @task
    async def work(n: int) -> None: ...

    @work.on_failure
    async def own(ctx: Context, error: BaseException) -> None:
        assert isinstance(error, RunFailed)
        seen.append((ctx.run_id, ctx.attempt, ctx.tags, ctx.payload, error.details))

    hooks.on_failure(lambda ctx, error: seen.append(f"global {ctx.task}"))
    work.on_complete(lambda ctx, result: seen.append((result.ok, str(result.error))))
    await called(work)
    assert seen == [
        "global a-task",
        ("run_x", 3, ("t",), {"n": 7}, ERROR),
        (False, "Run run_x of task a-task ended as failed in attempt 3: OSError: no net"),
    ]


async def test_a_hook_that_raises_is_called_again_and_the_others_are_not() -> None:
    happened: list[str] = []
    net = False

    @task
    async def work(n: int) -> None: ...

    async def send(to: str) -> str:
        happened.append(f"send {to}")
        return to

    @work.on_failure
    async def first(ctx: Context, error: BaseException) -> None:
        await step("send", send, "first")

    @work.on_failure
    async def second(ctx: Context, error: BaseException) -> None:
        happened.append("second")
        assert await step("send", send, "second") == "second"
        if not net:
            raise OSError("no net")

    @work.on_complete
    async def third(ctx: Context, result: hooks.Result) -> None:
        happened.append("third")

    entries: list[Entry] = []
    with pytest.raises(OSError, match="no net"):
        await called(work, entries)
    assert happened == ["send first", "second", "send second", "third"]
    happened.clear()
    net = True
    await called(work, entries, attempt=2)
    assert happened == ["second"]
    happened.clear()
    await called(work, entries, attempt=3)
    assert happened == []


async def test_the_middleware_of_the_task_is_around_its_hooks_and_no_hook_of_all_tasks_is() -> None:
    happened: list[str] = []

    @task
    async def work(n: int) -> None: ...

    @hooks.middleware
    async def outer(ctx: Context, call_next: hooks.Next) -> Any:
        happened.append(f"outer of {ctx.task}")
        return await call_next()

    hooks.on_success(lambda ctx, output: happened.append("success"))
    hooks.on_failure(lambda ctx, error: happened.append("failure"))
    failing = work.failing
    assert failing is not None

    async def body() -> None:
        happened.append("body")

    ctx = Context(Run(body).order)
    await hooks.run_attempt(failing, ctx, body)
    await hooks.after_success(failing, ctx, None)
    assert happened == ["outer of t", "body"]
    assert failing.failing is None


async def test_changes_of_metadata_go_to_the_failed_run_through_its_child() -> None:
    @task
    async def work(n: int) -> None: ...

    @work.on_failure
    async def note(ctx: Context, error: BaseException) -> None:
        metadata.parent.set("alarmed", value=True)

    with pytest.raises(AssertionError, match="no test here changes metadata"):
        await called(work)


def test_what_is_no_failed_run_is_refused() -> None:
    @task
    async def work(n: int) -> None: ...

    work.on_failure(lambda ctx, error: None)
    failing = work.failing
    assert failing is not None
    for text in ("7", "{}", '{"run":7}'):
        with pytest.raises(InvalidPayload, match="work:on_failure: the payload"):
            failing.bind_payload(text)


def test_a_name_that_leaves_no_room_is_refused() -> None:
    @task(id="x" * 120)
    async def work(n: int) -> None: ...

    work.on_failure(lambda ctx, error: None)
    with pytest.raises(InvalidTask, match=r"has failure hooks.*characters"):
        registry.specs()
