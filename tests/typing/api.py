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
    Batch,
    Call,
    Context,
    Debounce,
    Handle,
    Queue,
    RateLimit,
    Retry,
    RetryRun,
    RunFailed,
    checkpoint,
    continue_with,
    current,
    gather,
    hooks,
    logger,
    now,
    parallel,
    queues,
    random,
    runs,
    step,
    streams,
    sync,
    task,
    tasks,
    uuid,
    wait,
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
    assert_type(made, Batch[bytes])
    assert_type(made[0], Handle[bytes])
    assert_type(await tasks.batch([resize.call("a", 1), tasks.call("far", 1)]), Batch[Any])
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
        external_deployment_id="commit",
        debounce=Debounce("k", 5, mode="trailing", max_delay="1m"),
        connection=object(),
        test=True,
    )
    assert_type(await configured.trigger(Order(1)), Handle[str])
    assert_type(await configured.with_options(tags=["a"]).trigger(Order(1)), Handle[str])
    assert_type(await configured.batch_trigger([receipt.call(Order(1))]), Batch[str])

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


# ── durable code


async def price(order: Order, *, currency: str = "EUR") -> float:
    return 1.0


def label(order: Order) -> bytes:
    return b""


@step
async def charge(order: Order, cents: int) -> str:
    return ""


@step(retry=Retry(max_attempts=5), timeout="10s", name="print")
def label_step(order: Order) -> bytes:
    return b""


class Shop:
    @step
    async def pay(self, cents: int) -> str:
        return ""


async def durable() -> None:
    order = Order(1)
    assert_type(await step("price", price, order, currency="USD"), float)
    assert_type(await step("label", label, order), bytes)
    assert_type(await step("lambda", lambda: 3), int)
    assert_type(await step(key="7", durability="relaxed")("price", price, order), float)
    assert_type(await charge(order, 3), str)
    assert_type(await charge.with_options(key="7")(order, cents=3), str)
    assert_type(await label_step(order), bytes)
    assert_type(label_step.sync(order), bytes)
    assert_type(await Shop().pay(3), str)
    assert_type(await checkpoint("rows", 3), int)

    assert_type(await wait.seconds(3), None)
    assert_type(await wait.for_(timedelta(days=1), key="a"), None)
    assert_type(await wait.until(now() + timedelta(days=1)), None)
    assert_type(await wait.token("waitpoint_1", Order, timeout="1d"), Order)
    assert_type(await wait.token("waitpoint_1"), Any)
    assert_type(await wait.event("paid", Order, match={"id": 1}), Order)
    assert_type(await wait.input("chat", str), str)

    orders = streams.define("orders", Order)
    await orders.append(order)
    await orders.append("text")  # type: ignore[arg-type]
    assert_type(await orders.pipe([order]), int)
    assert_type([one async for one in orders.pipe([order])], list[Order])
    assert_type([one async for one in orders.read("run_1", timeout="1m")], list[Order])
    orders.read("run_1", start="1")  # type: ignore[call-arg]
    assert_type([one.data async for one in orders.records("run_1")], list[Order])
    async with orders.writer() as out:
        await out.write(order)
    assert_type([one async for one in streams.read("run_1")], list[Any])

    assert_type(await receipt.trigger_and_wait(order, copy_to="x"), str)
    assert_type(await resize.with_options(tags="a").trigger_and_wait("a", 1), bytes)
    assert_type(await resize.batch_trigger_and_wait([resize.call("a", 1)]), list[bytes])
    assert_type(
        await resize.batch_trigger_and_wait([resize.call("a", 1)], return_exceptions=True),
        list[bytes | RunFailed],
    )
    both = await gather(resize.call("a", 1), receipt.call(order))
    assert_type(both, tuple[bytes, str])
    assert_type(await gather(*[resize.call("a", n) for n in range(3)]), tuple[bytes, ...])
    pair = await parallel(charge(order, 1), label_step(order))
    assert_type(pair, tuple[str, bytes])
    assert_type(await parallel(*[charge(order, n) for n in range(3)]), tuple[str, ...])
    wide = await gather(resize.call("a", 1), tasks.call("far", 1), first.call(1))
    assert_type(wide, tuple[bytes, Any, list[Order]])
    assert_type(random().random(), float)
    assert_type(uuid().hex, str)
    if both:
        continue_with(order)


def durable_in_a_thread() -> None:
    assert_type(sync.step("price", price, Order(1)), float)
    assert_type(sync.step("label", label, Order(1)), bytes)
    assert_type(sync.wait.token("waitpoint_1", Order), Order)
    assert_type(sync.gather(resize.call("a", 1), first.call(1)), tuple[bytes, list[Order]])
    assert_type(resize.trigger_and_wait_sync("a", 1), bytes)


async def wrong_durable() -> None:
    await step("price", price, 3)  # type: ignore[call-overload]
    await step("price", price, Order(1), currencyy="USD")  # type: ignore[call-arg]
    await step("label", label)  # type: ignore[call-overload]
    await charge(Order(1), "3")  # type: ignore[arg-type]
    step(retries=3)  # type: ignore[call-overload]
    step(scope="global")  # type: ignore[call-overload]
    await resize.trigger_and_wait("a")  # type: ignore[call-arg]
    await receipt.with_options(delay=3).trigger_and_wait(1)  # type: ignore[arg-type]
    await gather(receipt(Order(1)))  # type: ignore[call-overload]
    await wait.seconds("1h")  # type: ignore[arg-type]
    await wait.token("waitpoint_1", timeuot=3)  # type: ignore[call-overload]
    number: int = await charge(Order(1), 3)  # type: ignore[assignment]
    assert number
