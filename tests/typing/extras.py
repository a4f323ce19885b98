"""User code around durable runs that mypy and pyright must understand; see `api.py`."""

# pyright: reportUnnecessaryTypeIgnoreComment=true
# mypy: disable-error-code=no-untyped-def

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import httpx2

from mainspring import (
    Context,
    Local,
    Retry,
    current,
    events,
    hooks,
    metadata,
    retry,
    streams,
    sync,
    tags,
    task,
    transaction,
    wait,
)
from mainspring.sdk.policy import Again, Skip


@dataclass
class Paid:
    cents: int


pool = Local[list[str]]("pool")
answers = streams.input("answers", Paid)
anything = streams.input("anything")


def is_busy(error: BaseException) -> bool:
    return "busy" in str(error)


@task(retry_on=(OSError, is_busy), abort_on=ValueError, catch_error=lambda ctx, error: None)
async def work(n: int) -> Paid:
    return Paid(n)


@work.catch_error
async def sort(ctx: Context, error: BaseException) -> Skip | Again | BaseException | None:
    if ctx.attempt > 2:
        return retry.skip()
    if isinstance(error, TimeoutError):
        return retry.at(datetime.now(UTC) + timedelta(hours=1))
    return retry.after("10m") if is_busy(error) else OSError("no net")


@hooks.on_wait
def waiting(ctx: Context, waits: list[hooks.Waiting]) -> None:
    assert_type(waits[0].kind, str)


@work.on_resume
async def resumed(ctx: Context, waits: list[hooks.Waiting]) -> None: ...


async def part() -> int:
    return 1


def plain_part() -> int:
    return 1


async def book(connection: Any, customer: int, *, cents: int = 1) -> Paid:
    return Paid(cents)


def book_now(connection: Any, customer: int) -> Paid:
    return Paid(customer)


async def right() -> None:
    assert_type(await retry.on_throw(part, max_attempts=3, retry_on=OSError), int)
    assert_type(retry.on_throw_sync(plain_part, min_delay="1s"), int)
    by_status: dict[str | int, Retry | retry.RateHeaders | None] = {429: retry.RateHeaders()}
    response = await retry.fetch("http://a", method="POST", json={}, by_status=by_status)
    assert_type(response, httpx2.Response)
    assert_type(retry.fetch_sync("http://a", on_timeout=None), httpx2.Response)

    pool.set(["a"])
    assert_type(pool.get(), list[str])
    assert_type(pool.get(None), list[str] | None)

    metadata.set("a", 1).increment("n").append("$.list", {"x": 1}).delete("a")
    metadata.parent.increment("n", 2.5)
    metadata.root.replace({"a": 1})
    assert_type(metadata.current(), dict[str, Any])
    await metadata.flush()
    await tags.add("a", "b")

    token = await wait.create_token(timeout="1h", tags=["a"], idempotency_key="k")
    assert_type(token, wait.Token)
    assert_type(await wait.token(token, Paid), Paid)
    assert_type(token.result(Paid), Paid)
    assert_type((await wait.complete_token(token.id, Paid(1))).status, str)
    async for found in wait.list_tokens(status="waiting", tag=["a"], limit=3):
        assert_type(found, wait.Token)

    assert_type(await answers.wait(timeout="1h"), Paid)
    assert_type(await answers.send("run_1", Paid(1)), int)
    await anything.send("run_1", {"a": 1})
    assert_type(await events.emit("paid", {"a": 1}), int)

    assert_type(await transaction(object(), "book", book, 1, cents=2), Paid)
    assert_type(sync.transaction(object(), "book", book_now, 1), Paid)
    assert_type(current().locals, dict[object, Any])


async def wrong() -> None:
    await retry.on_throw(part, tries=3)  # type: ignore[call-arg]
    await retry.on_throw(plain_part)  # type: ignore[arg-type]
    await retry.fetch("http://a", verb="POST")  # type: ignore[call-arg]
    pool.set("a")  # type: ignore[arg-type]
    number: int = pool.get()  # type: ignore[assignment]
    await answers.send("run_1", 1)  # type: ignore[arg-type]
    await wait.create_token(timeout=[1])  # type: ignore[arg-type]
    wait.list_tokens(status="open")  # type: ignore[arg-type]
    await transaction(object(), "book", book, "1")  # type: ignore[arg-type]
    await transaction(object(), "book", book)  # type: ignore[call-arg]
    await transaction(object(), "book", book_now, 1)  # type: ignore[arg-type]
    metadata.parent.get("a")  # type: ignore[attr-defined]
    task(retry_on=3)  # type: ignore[call-overload]
    assert number
