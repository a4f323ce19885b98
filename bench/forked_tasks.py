"""The task of the `fork` benchmark, alone so that other workers need no zygote."""

from __future__ import annotations

import time

from mainspring import task


@task(isolation="process")
async def first() -> float:
    """When its first instruction ran, by the clock that all processes share."""
    return time.perf_counter()
