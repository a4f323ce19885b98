"""The task of the benchmark of streams; its times are `time.perf_counter`, as in the reader."""

from __future__ import annotations

import asyncio
import time

from mainspring import streams, task


@task
async def talk(count: int, pause: float) -> None:
    """Tokens at an even pace, each with the moment at which it was written."""
    out = streams.define("out", float)
    for _ in range(count):
        await asyncio.sleep(pause)
        await out.append(time.perf_counter())
