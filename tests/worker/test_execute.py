"""What becomes of an attempt: outcomes, errors, stops, hooks, threads."""

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable

import pytest

from mainspring.clock import ManualClock
from mainspring.errors import AbortRun, InvalidPayload, RetryRun
from mainspring.sdk import hooks
from mainspring.sdk.context import Context, current
from mainspring.sdk.decorate import task
from mainspring.wire.worker import Cancel, Fenced, Finished, Refused, Revoke
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute


async def end_of(
    engine: Engine, worker: Worker, body: Callable[..., object], **order: object
) -> Finished:
    """Declare `body` as a task, run it once, and answer how it ended."""
    declared = task(id="body")(body)
    await worker()
    engine.order(execute(declared.id, **order))
    await engine.until(lambda: engine.ended)
    return engine.ended["run_1"]


def raising(error: BaseException, plain: bool) -> Callable[[], object]:
    def body() -> None:
        raise error

    async def coroutine() -> None:
        raise error

    return body if plain else coroutine


@pytest.mark.parametrize("plain", [False, True], ids=["async", "def"])
@pytest.mark.parametrize(
    "error,outcome,name",
    [
        (ValueError("no"), "failed", "ValueError"),
        (AbortRun("never"), "aborted", "AbortRun"),
        (RetryRun("later"), "retry", "RetryRun"),
        (InvalidPayload("of a child"), "failed", "InvalidPayload"),
        (SystemExit(3), "failed", "SystemExit"),
        (KeyboardInterrupt(), "failed", "KeyboardInterrupt"),
        (asyncio.CancelledError(), "failed", "CancelledError"),
        (GeneratorExit(), "failed", "GeneratorExit"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_what_a_body_raises_decides_the_outcome(
    engine: Engine, worker: Worker, error: BaseException, outcome: str, name: str, plain: bool
) -> None:
    end = await end_of(engine, worker, raising(error, plain))

    assert end.outcome == outcome
    assert end.error is not None
    assert end.error.name == name


@pytest.mark.parametrize("plain", [False, True], ids=["async", "def"])
async def test_a_retry_carries_the_delay_that_the_task_wants(
    engine: Engine, worker: Worker, plain: bool
) -> None:
    end = await end_of(engine, worker, raising(RetryRun("busy", after="1m30s"), plain))

    assert (end.outcome, end.retry_after_ms) == ("retry", 90_000)


async def test_a_retry_with_a_bad_delay_fails_and_says_so(engine: Engine, worker: Worker) -> None:
    end = await end_of(engine, worker, raising(RetryRun("busy", after="soon"), False))

    assert end.outcome == "failed"
    assert end.error is not None
    assert "'soon' is not a duration" in end.error.message


async def test_the_stack_begins_in_the_users_code(engine: Engine, worker: Worker) -> None:
    def inner() -> None:
        raise KeyError("missing")

    async def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise RuntimeError("cannot go on") from error

    end = await end_of(engine, worker, outer)

    assert end.error is not None
    stack = end.error.stack
    assert "in outer" in stack
    assert "KeyError: 'missing'" in stack
    assert "direct cause" in stack
    assert stack.rstrip().endswith("RuntimeError: cannot go on")
    assert "src/mainspring" not in stack


async def test_texts_that_no_database_holds_are_mended(engine: Engine, worker: Worker) -> None:
    end = await end_of(engine, worker, raising(ValueError("a\0b\ud800c"), False))

    assert end.error is not None
    assert end.error.message == "a\ufffdb\ufffdc"
    end.error.stack.encode()


async def test_an_error_that_cannot_be_shown_is_reported_all_the_same(
    engine: Engine, worker: Worker
) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    end = await end_of(engine, worker, raising(Odd(), False))

    assert end.error is not None
    assert end.error.message == "(its text cannot be shown: RuntimeError)"


async def test_details_of_an_error_are_kept_as_json(engine: Engine, worker: Worker) -> None:
    end = await end_of(engine, worker, raising(AbortRun("no", details={"at": [1, 2]}), False))

    assert end.error is not None
    assert (end.error.code, end.error.details) == ("aborted", {"at": [1, 2]})


async def test_details_without_a_json_form_become_text(engine: Engine, worker: Worker) -> None:
    end = await end_of(engine, worker, raising(AbortRun("no", details=1j), False))

    assert end.error is not None
    assert end.error.details == "1j"


@pytest.mark.parametrize("plain", [False, True], ids=["async", "def"])
async def test_a_payload_that_does_not_fit_is_named_and_never_tried_again(
    engine: Engine, worker: Worker, plain: bool
) -> None:
    async def coroutine(count: int) -> None: ...
    def function(count: int) -> None: ...

    end = await end_of(
        engine, worker, function if plain else coroutine, payload='{"count": "many"}'
    )

    assert end.outcome == "invalid_payload"
    assert end.error is not None
    assert [fault["path"] for fault in end.error.details] == ["count"]
    assert end.error.stack == ""


@pytest.mark.parametrize("plain", [False, True], ids=["async", "def"])
async def test_an_output_that_cannot_be_stored_ends_the_run_without_a_retry(
    engine: Engine, worker: Worker, plain: bool
) -> None:
    async def coroutine() -> object:
        return object()

    def function() -> object:
        return object()

    end = await end_of(engine, worker, function if plain else coroutine)

    assert end.outcome == "aborted"
    assert end.error is not None
    assert end.error.code == "invalid_output"


async def test_an_output_over_ten_megabytes_is_refused(engine: Engine, worker: Worker) -> None:
    async def large() -> str:
        return "x" * (10 * 1024 * 1024)

    end = await end_of(engine, worker, large)

    assert end.outcome == "aborted"
    assert end.error is not None
    assert end.error.code == "invalid_output"


async def test_an_unknown_task_is_reported_as_such(engine: Engine, worker: Worker) -> None:
    await worker()
    engine.order(execute("nowhere"))
    await engine.until(lambda: engine.ended)

    end = engine.ended["run_1"]
    assert end.outcome == "crashed"
    assert end.error is not None
    assert end.error.code == "unknown_task"


async def test_a_plain_function_runs_in_a_thread_with_its_context(
    engine: Engine, worker: Worker
) -> None:
    seen: list[object] = []

    def body(ctx: Context) -> str:
        seen.extend([threading.current_thread() is threading.main_thread(), current() is ctx])
        return ctx.run_id

    end = await end_of(engine, worker, body)

    assert (end.outcome, end.output) == ("completed", '"run_1"')
    assert seen == [False, True]


async def test_as_many_plain_functions_run_at_once_as_there_are_slots(
    engine: Engine, worker: Worker
) -> None:
    together = threading.Barrier(4)

    @task
    def body() -> int:
        return together.wait(10)

    await worker(slots=4)
    engine.order(*(execute("body", f"run_{n}") for n in range(4)))
    await engine.until(lambda: len(engine.ended) == 4)

    assert {end.outcome for end in engine.ended.values()} == {"completed"}


async def test_runs_do_not_see_each_others_context(engine: Engine, worker: Worker) -> None:
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="none")

    @task
    async def body(name: str) -> str:
        before = mark.get()
        mark.set(name)
        await asyncio.sleep(0)
        return f"{before} {mark.get()} {current().run_id}"

    await worker()
    engine.order(*(execute("body", f"run_{n}", payload=f'{{"name": "{n}"}}') for n in range(3)))
    await engine.until(lambda: len(engine.ended) == 3)

    assert [end.output for end in engine.ended.values()] == [
        f'"none {n} run_{n}"' for n in range(3)
    ]


async def test_the_same_order_is_obeyed_once(engine: Engine, worker: Worker) -> None:
    calls = []

    @task
    async def body() -> None:
        calls.append(current().epoch)

    await worker()
    engine.order(execute("body", epoch=2), execute("body", epoch=2), execute("body", epoch=1))
    await engine.until(lambda: engine.ended)
    engine.order(execute("body", epoch=2), execute("body", epoch=3))
    await engine.until(lambda: len(engine.of(Finished)) == 2)

    assert calls == [2, 3]


async def test_a_newer_claim_of_a_run_ends_the_older_one_silently(
    engine: Engine, worker: Worker
) -> None:
    ended = []

    @task
    async def body() -> int:
        if current().epoch == 1:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(1)
        return current().epoch

    await worker()
    engine.order(execute("body", epoch=1))
    await engine.until(lambda: engine.started)
    engine.order(execute("body", epoch=2))
    await engine.until(lambda: engine.ended)

    assert ended == [1]
    assert [(end.epoch, end.output) for end in engine.of(Finished)] == [(2, "2")]


async def test_an_order_taken_back_before_its_body_began_never_runs(
    engine: Engine, worker: Worker
) -> None:
    calls = []

    @task
    async def body() -> None:
        calls.append(current().run_id)

    await worker()
    engine.order(execute("body", "run_1"), Revoke("run_1", 1), execute("body", "run_2"))
    engine.order(execute("body", "run_1"), Revoke("run_1", 1))
    await engine.until(lambda: len(engine.of(Refused)) == 2)

    assert calls == ["run_2"]
    assert engine.of(Refused) == [Refused("run_1", 1, True)] * 2


async def test_an_order_whose_body_has_begun_is_not_given_back(
    engine: Engine, worker: Worker
) -> None:
    go_on = asyncio.Event()

    @task
    async def body() -> None:
        await go_on.wait()

    await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.started)
    engine.order(Revoke("run_1", 1))
    await engine.until(lambda: engine.of(Refused))
    go_on.set()
    await engine.until(lambda: engine.ended)
    engine.order(Revoke("run_1", 1))
    await engine.until(lambda: len(engine.of(Refused)) == 2)

    assert engine.of(Refused) == [Refused("run_1", 1, False)] * 2


async def test_a_plain_function_that_waits_for_a_thread_can_be_taken_back(
    engine: Engine, worker: Worker
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    calls = []

    @task
    def body() -> None:
        calls.append(current().run_id)
        begun.set()
        go_on.wait(10)

    await worker(slots=1)
    engine.order(execute("body", "run_1"))
    await asyncio.to_thread(begun.wait, 10)
    engine.order(execute("body", "run_2"), Revoke("run_2", 1))
    await engine.until(lambda: engine.of(Refused))
    go_on.set()
    await engine.until(lambda: engine.ended)

    assert engine.of(Refused) == [Refused("run_2", 1, True)]
    assert calls == ["run_1"]


async def test_a_body_that_returns_after_a_cancel_is_reported_as_it_ended(
    engine: Engine, worker: Worker
) -> None:
    @task
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert current().canceled.is_set()
        return "saved"

    await worker()
    engine.order(execute("stubborn"))
    await engine.until(lambda: engine.started)
    engine.order(Cancel("run_1", 1))
    await engine.until(lambda: engine.ended)

    assert (engine.ended["run_1"].outcome, engine.ended["run_1"].output) == ("completed", '"saved"')


async def test_a_body_canceled_before_it_began_never_begins(engine: Engine, worker: Worker) -> None:
    calls = []

    @task
    async def body() -> None:
        calls.append(1)

    await worker()
    engine.order(execute("body"), Cancel("run_1", 1))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].outcome == "canceled"
    assert calls == []


async def test_a_body_that_ignores_its_cancel_is_given_up_after_the_grace_time(
    engine: Engine, worker: Worker
) -> None:
    go_on = asyncio.Event()

    @task
    async def deaf() -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    session = await worker()
    engine.order(execute("deaf"))
    await engine.until(lambda: engine.started)
    engine.order(Cancel("run_1", 1, grace_ms=20))
    await engine.until(lambda: engine.ended)
    assert engine.ended["run_1"].outcome == "canceled"
    assert (session.running, session.lingering) == (0, 1)

    go_on.set()
    await session.runner.calm()
    assert len(engine.of(Finished)) == 1


async def test_a_plain_function_sees_that_it_is_canceled(engine: Engine, worker: Worker) -> None:
    @task
    def body(ctx: Context) -> bool:
        return ctx.canceled.wait_blocking(10)

    await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.started)
    engine.order(Cancel("run_1", 1))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].output == "true"


@pytest.mark.parametrize("hooked", [False, True], ids=["bare", "hooked"])
async def test_a_plain_function_that_does_not_look_is_interrupted(
    engine: Engine, worker: Worker, hooked: bool
) -> None:
    caught = []

    @task
    def busy() -> None:
        try:
            while True:
                threading.Event().wait(0.001)
        except BaseException as error:
            caught.append(type(error))
            raise

    if hooked:
        busy.on_success(lambda ctx, output: None)
    await worker()
    engine.order(execute("busy"))
    await engine.until(lambda: engine.started)
    engine.order(Cancel("run_1", 1, grace_ms=1_000))
    await engine.until(lambda: engine.ended)

    assert caught == [asyncio.CancelledError]
    assert engine.ended["run_1"].outcome == "canceled"


async def test_a_thread_that_never_ends_is_replaced(engine: Engine, worker: Worker) -> None:
    go_on = threading.Event()

    @task
    def stuck() -> None:
        go_on.wait(20)

    @task
    def quick() -> None: ...

    session = await worker(slots=1)
    engine.order(execute("stuck"))
    await engine.until(lambda: engine.started)
    engine.order(Fenced("run_1", 1), execute("quick", "run_2"))
    await engine.until(lambda: engine.ended)
    assert list(engine.ended) == ["run_2"]
    assert session.lingering == 1

    go_on.set()
    await session.runner.calm()
    assert list(engine.ended) == ["run_2"]


@pytest.mark.parametrize("plain", [False, True], ids=["async", "def"])
async def test_a_run_that_is_active_for_too_long_times_out(
    engine: Engine, worker: Worker, plain: bool
) -> None:
    async def coroutine() -> None:
        await asyncio.Event().wait()

    def function(ctx: Context) -> None:
        ctx.canceled.wait_blocking(10)

    end = await end_of(
        engine, worker, function if plain else coroutine, max_duration_ms=60_000, active_ms=59_990
    )

    assert end.outcome == "timed_out"
    assert end.error is not None
    assert end.error.code == "max_duration_exceeded"
    assert "60 s" in end.error.message


async def test_a_run_whose_time_was_used_up_before_times_out_at_once(
    engine: Engine, worker: Worker
) -> None:
    async def coroutine() -> None:
        await asyncio.Event().wait()

    end = await end_of(engine, worker, coroutine, max_duration_ms=1_000, active_ms=1_000)

    assert end.outcome == "timed_out"


async def test_the_time_that_a_body_ran_is_reported(engine: Engine, worker: Worker) -> None:
    clock = ManualClock()

    @task
    async def body() -> None:
        clock.advance(1_234)

    await worker(clock=clock)
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].active_ms == 1_234


@pytest.mark.parametrize("plain", [False, True], ids=["async", "def"])
async def test_hooks_are_called_around_the_body_and_before_the_end_is_reported(
    engine: Engine, worker: Worker, plain: bool
) -> None:
    said: list[object] = []

    async def coroutine() -> str:
        said.append("body")
        return "out"

    def function() -> str:
        said.append("body")
        return "out"

    declared = task(id="body")(function if plain else coroutine)

    @declared.on_start_attempt
    def start(ctx: Context) -> None:
        said.append(f"start {ctx.run_id}")

    @declared.middleware
    async def around(ctx: Context, call_next: hooks.Next) -> object:
        said.append("in")
        result = await call_next()
        said.append("out")
        return f"{result}!"

    @declared.on_success
    async def success(ctx: Context, output: object) -> None:
        said.append(("success", output, len(engine.ended)))

    @declared.on_complete
    def complete(ctx: Context, result: hooks.Result) -> None:
        said.append(result.ok)

    await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)

    assert said == ["in", "start run_1", "body", "out", ("success", "out!", 0), True]
    assert engine.ended["run_1"].output == '"out!"'


@pytest.mark.parametrize("error", [ValueError("no"), AbortRun("never"), RetryRun("later")])
async def test_failure_hooks_are_not_called_by_the_attempt_that_failed(
    engine: Engine, worker: Worker, error: Exception
) -> None:
    said: list[BaseException] = []

    @task
    async def body() -> None:
        raise error

    body.on_failure(lambda ctx, failure: said.append(failure))
    body.on_complete(lambda ctx, result: said.append(result))
    await worker()
    engine.order(execute("body", attempt=3, max_attempts=3))
    await engine.until(lambda: engine.ended)
    assert said == []

    engine.order(execute("body:on_failure", "run_2", payload="[]"))
    await engine.until(lambda: "run_2" in engine.ended)
    assert engine.ended["run_2"].outcome == "invalid_payload"


async def test_a_hook_that_ends_the_process_does_not(engine: Engine, worker: Worker) -> None:
    @task
    async def body() -> str:
        return "done"

    body.on_success(lambda ctx, output: sys.exit("bye"))
    await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].outcome == "completed"


@pytest.mark.parametrize("plain", [False, True], ids=["async", "def"])
async def test_cancel_hooks_are_called_after_the_body(
    engine: Engine, worker: Worker, plain: bool
) -> None:
    said = []

    async def coroutine() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            said.append("body")

    def function(ctx: Context) -> None:
        ctx.canceled.wait_blocking(10)
        said.append("body")

    declared = task(id="body")(function if plain else coroutine)
    declared.on_cancel(lambda ctx: said.append("hook"))
    await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.started)
    engine.order(Cancel("run_1", 1))
    await engine.until(lambda: engine.ended)

    assert said == ["body", "hook"]
