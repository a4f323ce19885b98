"""User code that mypy and pyright must understand: right calls pass, each wrong one is an error.

It is checked, never executed. A comment that silences an error is itself an error where there is
none, so the comments below prove that the wrong calls are reported.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true
# mypy: disable-error-code=no-untyped-def

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from mainspring import (
    AbortRun,
    Call,
    Context,
    Debounce,
    Handle,
    Queue,
    RateLimit,
    Retry,
    RetryRun,
    current,
    hooks,
    logger,
    queues,
    runs,
    sync,
    task,
    tasks,
)
from mainspring.model.run import Run


@dataclass
class Order:
    id: int


mail = Queue("mail", concurrency_limit=5, rate="100/min")
slow = Queue("slow", rate=RateLimit(10, "1h", burst=2), total_limit=3, weight=2)


@task
async def receipt(order: Order, *, copy_to: str | None = None) -> str:
    logger.info("sending", order=order.id)
    return current().run_id


@task
def resize(path: str, width: int) -> bytes:
    raise AbortRun("no such file")


@task(id="report", queue=mail, retry=Retry(max_attempts=5, max_delay="1h"), max_duration=600)
async def report(order: Order, ctx: Context) -> int:
    if (ctx.remaining() or 1) < 1:
        raise RetryRun(after=timedelta(minutes=5))
    return ctx.attempt


@task(concurrency_key=lambda n: f"n-{n}", idempotency_key="order-{payload.n}", ttl="1d")
async def first(ctx: Context, n: int, label: str = "") -> list[Order]:
    return []


@task
def plain_with_context(n: int, ctx: Context) -> None: ...


@task
async def nothing() -> None: ...


@task
async def loose(payload: Any) -> int:
    return 1


@task
async def table(payload: dict[str, Any]) -> int:
    return 1


@task  # a beginner's first task: no types at all
async def untyped(a, b):
    return a


patient = task(retry=Retry(max_attempts=20))


@patient
async def shared(n: int) -> str:
    return ""


@patient(queue="slow")
def shared_plain(n: int) -> str:
    return ""


async def right() -> None:
    assert_type(await receipt.trigger(Order(1), copy_to="x"), Handle[str])
    assert_type(await (await receipt.trigger(Order(1))).result(timeout="1m"), str)
    assert_type(await resize.trigger("a", width=2), Handle[bytes])
    assert_type(resize.trigger_sync("a", 2).result_sync(), bytes)
    assert_type(await report.trigger(Order(1)), Handle[int])
    assert_type(await first.trigger(1, label="x"), Handle[list[Order]])
    assert_type(await plain_with_context.trigger(1), Handle[None])
    assert_type(await nothing.trigger(), Handle[None])
    assert_type(await table.trigger({"a": 1}), Handle[int])
    assert_type(await shared.trigger(1), Handle[str])
    assert_type(await shared_plain.trigger(1), Handle[str])
    await loose.trigger({"a": 1})
    await loose.trigger(payload=[1])
    await untyped.trigger(1, 2)
    await untyped.trigger(a=1, b=2)

    assert_type(await receipt(Order(1)), str)
    pending: Coroutine[Any, Any, str] = receipt(Order(1))
    assert_type(await pending, str)
    assert_type(resize("a", 1), bytes)
    assert_type(await resize.local("a", 1), bytes)
    assert_type(await receipt.local(Order(1)), str)

    assert_type(resize.call("a", 1), Call[bytes])
    made = await resize.batch_trigger([resize.call("a", 1), resize.call("b", width=2)])
    assert_type(made, list[Handle[bytes]])
    assert_type(await tasks.batch([resize.call("a", 1), tasks.call("far", 1)]), list[Handle[Any]])
    assert_type(await tasks.trigger("far", {"a": 1}, delay=3), Handle[Any])
    assert_type(receipt.handle("run_1"), Handle[str])

    configured = receipt.with_options(
        delay=datetime.now(UTC),
        ttl="1h",
        idempotency_key=["order", "1"],
        idempotency_scope="global",
        idempotency_key_ttl=timedelta(days=1),
        concurrency_key=lambda order, copy_to=None: order.id,
        queue=slow,
        tags="vip",
        metadata={"stage": 1},
        priority=2.5,
        max_attempts=2,
        max_duration="10m",
        machine="micro",
        version="v1",
        debounce=Debounce("k", 5, mode="trailing", max_delay="1m"),
        connection=object(),
        test=True,
    )
    assert_type(await configured.trigger(Order(1)), Handle[str])
    assert_type(await configured.with_options(tags=["a"]).trigger(Order(1)), Handle[str])
    assert_type(await configured.batch_trigger([receipt.call(Order(1))]), list[Handle[str]])

    handle = await receipt.trigger(Order(1))
    wide: Handle[str | None] = handle
    assert_type(await wide.run(), Run)
    assert_type(sync.run(receipt.trigger(Order(1))), Handle[str])
    async for run in runs.list(status="failed", task=["a"], limit=3):
        assert_type(run, Run)
    await queues.set_limit("mail", None)


async def wrong() -> None:
    await receipt.trigger()  # type: ignore[call-arg]
    await receipt.trigger(1)  # type: ignore[arg-type]
    await receipt.trigger(Order(1), "x")  # type: ignore[call-arg]
    await receipt.trigger(Order(1), copy_too="x")  # type: ignore[call-arg]
    await resize.trigger("a", "b")  # type: ignore[arg-type]
    await report.trigger(Order(1), current())  # type: ignore[call-arg]
    await first.trigger("1")  # type: ignore[arg-type]
    await first.trigger(current(), 1)  # type: ignore[arg-type]
    await shared.trigger("1")  # type: ignore[arg-type]
    resize.trigger_sync("a")  # type: ignore[call-arg]
    resize.call(1, 2)  # type: ignore[arg-type]
    await receipt("x")  # type: ignore[arg-type]
    await resize.local("a")  # type: ignore[call-arg]
    await resize.batch_trigger([receipt.call(Order(1))])  # type: ignore[list-item]
    await resize.batch_trigger([("a", 1)])  # type: ignore[list-item]

    receipt.with_options(dellay=3)  # type: ignore[call-arg]
    receipt.with_options(delay=[3])  # type: ignore[arg-type]
    receipt.with_options(idempotency_scope="batch")  # type: ignore[arg-type]
    await receipt.with_options(delay=3).trigger(1)  # type: ignore[arg-type]
    await tasks.trigger("far", 1, prioritty=3)  # type: ignore[call-arg]
    task(retries=3)  # type: ignore[call-overload]
    task(retry=3)  # type: ignore[call-overload]
    Retry(attempts=3)  # type: ignore[call-arg]
    Queue("q", 5)  # type: ignore[call-arg]
    runs.list(state="failed")  # type: ignore[call-arg]

    number: int = await (await receipt.trigger(Order(1))).result()  # type: ignore[assignment]
    handle: Handle[int] = await receipt.trigger(Order(1))  # type: ignore[assignment]
    assert number
    assert handle


@receipt.on_failure
async def tell(ctx: Context, error: BaseException) -> None: ...


@hooks.on_complete
def note(ctx: Context, result: hooks.Result) -> None:
    assert_type(result.ok, bool)


@hooks.middleware
async def timed(ctx: Context, call_next: hooks.Next) -> Any:
    return await call_next()


async def decorators_give_the_function_back(ctx: Context) -> None:
    assert_type(await tell(ctx, ValueError()), None)
