"""Tasks of the durable benchmarks: imported here for the embedded form, and by worker processes.

Times are `time.perf_counter`, which all processes of a machine share on Linux.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from mainspring import step, task, wait

clock = time.perf_counter


async def nothing() -> None:
    return None


@task
async def ten() -> None:
    """Ten durable steps that do nothing."""
    for _ in range(10):
        await step("nothing", nothing)


@task
async def timed(count: int) -> list[float]:
    """Seconds of each of so many steps, one after another."""
    found = []
    for _ in range(count):
        begin = clock()
        await step("nothing", nothing)
        found.append(clock() - begin)
    return found


@task
async def tokens(ids: list[str]) -> list[float]:
    """When it went on after each of the tokens."""
    found = []
    for token in ids:
        await wait.token(token)
        found.append(clock())
    return found


@task
async def ends() -> float:
    """When its body ended."""
    return clock()


@task
async def children(count: int) -> list[float]:
    """Seconds from the end of each child to the line after it."""
    found = []
    for _ in range(count):
        ended = await ends.trigger_and_wait()
        found.append(clock() - ended)
    return found


@task
async def long(count: int, token: str) -> dict[str, float]:
    """Many steps, then a wait; CPU seconds that the steps took in this process."""
    relaxed = step(durability="relaxed")
    begin, cpu = clock(), time.process_time()
    for _ in range(count):
        await relaxed("nothing", nothing)
    spent = {"seconds": clock() - begin, "cpu": time.process_time() - cpu}
    await wait.token(token)
    return spent


@task
async def sleeper(until: float) -> None:
    """Waits until that moment of `time.time`."""
    await wait.until(datetime.fromtimestamp(until, UTC))
