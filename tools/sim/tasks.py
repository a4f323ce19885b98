"""The tasks that simulated workers execute: each plays a plan that its payload carries, and tells
the ledger what it does. Plans are lists of (verb, argument …), made by `plans`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

import mainspring
from mainspring import (
    AbortRun,
    Context,
    Queue,
    RateLimit,
    Retry,
    ScheduledPayload,
    continue_with,
    current,
    step,
    wait,
)
from mainspring.errors import RunFailed, WaitTimeout
from mainspring.model.task import QueueSpec
from mainspring.sdk.registry import Registry, registry

if TYPE_CHECKING:
    from tools.sim.ledger import Ledger
    from tools.sim.world import Loop

own: Final = Registry()
"""The tasks of this module, which no other test sees."""


class Flaky(Exception):
    """What the code of a plan raises."""


async def play(ctx: Context, n: str, plan: list[Any]) -> str:
    """The body of every task."""
    order = ctx._order
    run_id, generation = order.run_id, order.generation
    ledger = cast("Loop", asyncio.get_running_loop()).node.ledger
    ledger.entered(run_id, order.epoch, order.attempt, order.max_attempts)
    mine = ledger.begins(run_id, n)
    for place, (verb, *given) in enumerate(plan):
        await VERBS[verb](ctx, ledger, (run_id, generation, place), mine, *given)
        ledger.check_executing()
    return n


async def tick(fired: ScheduledPayload) -> None:
    """The body of a tick: begins not before its time."""
    ctx = current()
    order, ledger = ctx._order, cast("Loop", asyncio.get_running_loop()).node.ledger
    ledger.entered(order.run_id, order.epoch, order.attempt, order.max_attempts)
    await asyncio.sleep(0.05)


Place = tuple[str, int, int]


async def _nap(ctx: Context, ledger: Ledger, place: Place, n: str, seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _step(ctx: Context, ledger: Ledger, place: Place, n: str, seconds: float) -> None:
    run_id, generation, at = place

    async def work() -> int:
        ledger.performs(run_id, generation, f"s{at}")
        await asyncio.sleep(seconds)
        return at

    if await step(f"s{at}", work) != at:
        ledger.world.fail(f"step s{at} of {run_id} gave another's result")


async def _flaky(ctx: Context, ledger: Ledger, place: Place, n: str, until: int) -> None:
    if ctx._order.attempt < until:
        raise Flaky(f"attempt {ctx._order.attempt}")


async def _abort(ctx: Context, ledger: Ledger, place: Place, n: str) -> None:
    raise AbortRun("as planned")


async def _sleep(ctx: Context, ledger: Ledger, place: Place, n: str, ms: int) -> None:
    ledger.waits_for(*place, ms)
    await wait.for_(ms / 1000)
    ledger.waited(*place)


async def _token(ctx: Context, ledger: Ledger, place: Place, n: str, ms: int) -> None:
    token = await wait.create_token()
    ledger.tokens.setdefault(token.id, False)
    try:
        got = await wait.token(token, timeout=ms / 1000)
    except WaitTimeout:
        return
    if got != token.id:
        ledger.world.fail(f"{token.id} brought {got!r} to {place[0]}")


async def _event(ctx: Context, ledger: Ledger, place: Place, n: str, name: str, ms: int) -> None:
    try:
        await wait.event(name, timeout=ms / 1000)
    except WaitTimeout:
        return


async def _input(ctx: Context, ledger: Ledger, place: Place, n: str, ms: int) -> None:
    try:
        await wait.input("chat", timeout=ms / 1000)
    except WaitTimeout:
        return


async def _emit(ctx: Context, ledger: Ledger, place: Place, n: str, name: str) -> None:
    await mainspring.events.emit(name, n)


async def _both(ctx: Context, ledger: Ledger, place: Place, n: str, one: int, two: int) -> None:
    await asyncio.gather(wait.for_(one / 1000), wait.for_(two / 1000))


async def _child(
    ctx: Context, ledger: Ledger, place: Place, n: str, task: str, plan: list[Any]
) -> None:
    number = f"{n}.{place[1]}.{place[2]}"
    try:
        got = await TASKS[task].trigger_and_wait(n=number, plan=plan)
    except RunFailed:
        return
    if got != number:
        ledger.world.fail(f"{place[0]} was told {got!r} of its child {number}")


async def _children(
    ctx: Context, ledger: Ledger, place: Place, n: str, task: str, plans: list[Any]
) -> None:
    made = TASKS[task]
    numbers = [f"{n}.{place[1]}.{place[2]}.{index}" for index in range(len(plans))]
    calls = [made.call(n=number, plan=plan) for number, plan in zip(numbers, plans, strict=True)]
    results = await made.batch_trigger_and_wait(calls, return_exceptions=True)
    for number, got in zip(numbers, results, strict=True):
        if not isinstance(got, RunFailed) and got != number:
            ledger.world.fail(f"{place[0]} was told {got!r} of its child {number}")


async def _fire(
    ctx: Context, ledger: Ledger, place: Place, n: str, task: str, plan: list[Any]
) -> None:
    number = f"{n}.{place[1]}.{place[2]}"
    handle = await TASKS[task].trigger(n=number, plan=plan)
    ledger.promised(handle.id, number)


async def _metadata(ctx: Context, ledger: Ledger, place: Place, n: str) -> None:
    mainspring.metadata.set("at", place[2])
    mainspring.metadata.increment("count", 1)


async def _stream(ctx: Context, ledger: Ledger, place: Place, n: str) -> None:
    await mainspring.streams.append("out", place[2])


async def _again(ctx: Context, ledger: Ledger, place: Place, n: str, plan: list[Any]) -> None:
    if place[1] < 2:
        continue_with({"n": n, "plan": plan})


async def _swallow(ctx: Context, ledger: Ledger, place: Place, n: str, seconds: float) -> None:
    """Cleans up for a while when it is canceled."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await asyncio.sleep(seconds)
        raise


VERBS: Final[dict[str, Any]] = {
    "nap": _nap, "step": _step, "flaky": _flaky, "abort": _abort, "sleep": _sleep,
    "token": _token, "event": _event, "input": _input, "emit": _emit, "both": _both,
    "child": _child, "children": _children, "fire": _fire, "metadata": _metadata,
    "stream": _stream, "again": _again, "swallow": _swallow,
}  # fmt: skip

QUEUES: Final[dict[str, QueueSpec]] = {}
TASKS: Final[dict[str, Any]] = {}


def _declare() -> None:
    retry = Retry(max_attempts=3, min_delay=0.2, max_delay=2)
    with registry.isolated():
        queues = [
            Queue("free"),
            Queue("narrow", concurrency_limit=2),
            Queue("single", concurrency_limit=1),
            Queue("keyed", concurrency_limit=1, total_limit=2),
            Queue("rated", rate=RateLimit(2, "2s")),
        ]
        for queue in queues:
            name = queue.name
            made: Any = mainspring.task(id=name, queue=queue, retry=retry)(play)
            TASKS[name] = made
            QUEUES[name] = queue.spec()
        mainspring.task(id="tick", queue=queues[1], retry=retry)(tick)
        own.tasks, own.queues = registry.tasks, registry.queues


_declare()
