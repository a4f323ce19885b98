"""A snapshot that somebody holds open, so that nothing which ends can be cleared away."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator

import apsw
import asyncpg

from bench.figure import Figure, figure
from bench.place import Platform, database, platform
from bench.work import SLOTS, drain, worker

RATE = 1_000
DRAINED = 5_000


@contextlib.asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[None]:
    """Read the database as it is now, as long as the block lasts."""
    count = "SELECT count(*) FROM run"
    if url.startswith("sqlite:///"):
        reader = apsw.Connection(url.removeprefix("sqlite:///"), apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        reader.execute(count).fetchall()
        yield
        reader.close()
        return
    connection = await asyncpg.connect(url)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.fetchval(count)
        yield
    await connection.close()


async def three_drains(place: Platform) -> float:
    """Median seconds a run."""
    found = []
    for _ in range(3):
        await place.trigger(DRAINED)
        found.append(await drain(place, DRAINED) / DRAINED)
    return statistics.median(found)


async def paced(place: Platform, seconds: int) -> None:
    """As many runs a second go through."""
    async with worker(place, SLOTS):
        began = time.perf_counter()
        for second in range(1, seconds + 1):
            await place.trigger(RATE)
            await asyncio.sleep(max(0.0, began + second - time.perf_counter()))


async def snapshot_held(store: str, quick: bool) -> Figure:
    """Drain rate behind a snapshot held open at 1,000 runs a second over that before it."""
    seconds = 20 if quick else 1_800
    async with database(store) as url, platform(url) as place:
        await three_drains(place)
        before = await three_drains(place)
        async with snapshot(url):
            await paced(place, seconds)
            after = await three_drains(place)
        return figure(
            "snapshot_held",
            store,
            DRAINED,
            DRAINED * after,
            ratio=round(before / after, 2),
            held_s=seconds,
        )
