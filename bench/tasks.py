"""The tasks that the benchmarks run."""

from __future__ import annotations

import time

from mainspring import Queue, ScheduledPayload, task

MARKS: dict[int, float] = {}
"""When the body of `stamp` began, by its argument."""


STARTED: dict[str, float] = {}
"""When the body of `ticked` began, by its schedule; epoch seconds."""


@task
async def noop(i: int = 0, text: str = "") -> None:
    return None


@task(queue=Queue("keyed", concurrency_limit=2))
async def keyed(i: int = 0, text: str = "") -> None:
    return None


@task(queue=Queue("unlimited"))
async def unlimited(i: int = 0, text: str = "") -> None:
    return None


@task
async def stamp(i: int) -> None:
    MARKS[i] = time.perf_counter()


@task
async def ticked(tick: ScheduledPayload) -> None:
    STARTED.setdefault(tick.schedule_id, time.time())
