"""Hooks and middleware: their order, and whose errors count."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mainspring import Context, hooks, task
from mainspring.errors import InvalidTask
from tests.sdk.conftest import order

CTX = Context(order())


def test_a_task_without_hooks_says_so() -> None:
    @task
    async def bare() -> None: ...

    @task
    async def other() -> None: ...

    assert not hooks.has_hooks(bare)

    @other.on_cancel
    async def note(ctx: Context) -> None: ...

    assert hooks.has_hooks(other)
    assert not hooks.has_hooks(bare)

    @hooks.on_success
    def everywhere(ctx: Context, output: Any) -> None: ...

    assert hooks.has_hooks(bare)
    assert callable(note)
    assert callable(everywhere)


async def test_global_ones_come_first_and_middleware_is_outermost() -> None:
    happened: list[str] = []

    @task
    async def work() -> None: ...

    def layer(name: str) -> Callable[..., Awaitable[Any]]:
        async def wrap(ctx: Context, call_next: hooks.Next) -> Any:
            happened.append(f"{name} in")
            result = await call_next()
            happened.append(f"{name} out")
            return result + 1

        return wrap

    work.middleware(layer("own"))
    hooks.middleware(layer("global"))
    work.on_start_attempt(lambda ctx: happened.append("own start"))
    hooks.on_start_attempt(lambda ctx: happened.append(f"global start of {ctx.run_id}"))

    async def body() -> int:
        happened.append("body")
        return 1

    assert await hooks.run_attempt(work, CTX, body) == 3
    assert happened == [
        "global in",
        "own in",
        "global start of run_a",
        "own start",
        "body",
        "own out",
        "global out",
    ]


async def test_an_error_before_the_body_fails_the_attempt() -> None:
    @task
    async def work() -> None: ...

    @work.on_start_attempt
    async def refuse(ctx: Context) -> None:
        raise ValueError("not now")

    ran: list[int] = []

    async def body() -> None:
        ran.append(1)

    with pytest.raises(ValueError, match="not now"):
        await hooks.run_attempt(work, CTX, body)
    assert ran == []


async def test_what_a_run_came_to_is_told_in_order() -> None:
    told: list[Any] = []

    @task
    async def work() -> None: ...

    for name, place in (("own", work), ("global", hooks)):
        place.on_success(lambda ctx, output, name=name: told.append((name, output)))
        place.on_failure(lambda ctx, error, name=name: told.append((name, error)))
        place.on_complete(lambda ctx, result, name=name: told.append((name, result)))
        place.on_cancel(lambda ctx, name=name: told.append((name, "canceled")))

    await hooks.after_success(work, CTX, 5)
    done = hooks.Result(ok=True, output=5)
    assert told == [("global", 5), ("own", 5), ("global", done), ("own", done)]
    told.clear()
    await hooks.after_cancel(work, CTX)
    assert told == [("global", "canceled"), ("own", "canceled")]


async def test_an_error_after_the_end_is_logged_and_the_next_hook_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[str] = []

    @task
    async def work() -> None: ...

    @work.on_success
    async def broken(ctx: Context, output: Any) -> None:
        raise OSError("no net")

    work.on_success(lambda ctx, output: told.append("second"))
    work.on_complete(lambda ctx, result: told.append("complete"))
    with caplog.at_level(logging.ERROR, "mainspring.hooks"):
        await hooks.after_success(work, CTX, 1)
    assert told == ["second", "complete"]
    assert "broken failed for run run_a of task t" in caplog.text
    assert "no net" in caplog.text


def test_middleware_must_be_a_coroutine_function() -> None:
    with pytest.raises(InvalidTask, match=r"plain is a plain function; write `async def`"):

        @hooks.middleware
        def plain(ctx: Context, call_next: hooks.Next) -> None: ...
