"""A snapshot that somebody holds open, so that nothing which ends can be cleared away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator

import apsw
import asyncpg

from bench.figure import Figure, figure
from bench.place import Platform, database, platform
from bench.stage import backends, cpu_seconds
from bench.work import SLOTS, drain, worker

RATE = 1_000
DRAINED = 5_000
DRAINS = 7
SHOWN_S = 60


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


class Meter:
    """Microseconds of CPU a run, of this process (engine and worker) and of PostgreSQL's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._before = self._now()

    def per_run(self, count: int) -> dict[str, float]:
        """Since the last call, or since it was made."""
        now = self._now()
        found = {name: round((now[name] - self._before[name]) / count * 1e6, 1) for name in now}
        self._before = now
        return found

    def _now(self) -> dict[str, float]:
        return {
            "server": cpu_seconds([os.getpid()]),
            "database": cpu_seconds(backends(self._url)),
        }


async def drains(place: Platform, url: str) -> dict[str, float]:
    """Microseconds of a run that is claimed and ends: the median by the wall, and of CPU the least,
    which other work on the machine disturbed least.
    """
    found: list[dict[str, float]] = []
    for _ in range(DRAINS):
        await place.trigger(DRAINED)
        meter = Meter(url)
        wall = await drain(place, DRAINED) / DRAINED * 1e6
        found.append({"wall": round(wall, 1), **meter.per_run(DRAINED)})
    least = {name: min(one[name] for one in found) for name in found[0]}
    return {**least, "wall": statistics.median(one["wall"] for one in found)}


async def paced(place: Platform, url: str, seconds: int) -> None:
    """As many runs a second go through. What they take is told each minute."""
    owner = place.engine.owners[place.env.shard_id]
    async with worker(place, SLOTS):
        began, ended, meter = time.perf_counter(), owner.ended, Meter(url)
        for second in range(1, seconds + 1):
            await place.trigger(RATE)
            await asyncio.sleep(max(0.0, began + second - time.perf_counter()))
            if second % SHOWN_S == 0:
                took = meter.per_run(max(1, owner.ended - ended))
                late = time.perf_counter() - began - second
                print(f"  {second} s: {owner.ended - ended} ended, {took} us of CPU a run, "
                      f"{late:.1f} s late", file=sys.stderr, flush=True)  # fmt: skip
                ended = owner.ended


async def snapshot_held(store: str, quick: bool) -> Figure:
    """What a run takes behind a snapshot held open at 1,000 runs a second, over that before it."""
    seconds = 20 if quick else 1_800
    async with database(store) as url, platform(url) as place:
        await drains(place, url)
        before = await drains(place, url)
        async with snapshot(url):
            await paced(place, url, seconds)
            after = await drains(place, url)
        grown = {
            f"{name}_times": round(after[name] / before[name], 2) for name in before if before[name]
        }
        return figure(
            "snapshot_held",
            store,
            DRAINED,
            DRAINED * after["wall"] / 1e6,
            ratio=round(before["wall"] / after["wall"], 2),
            held_s=seconds,
            **grown,
            before_us=before,
            after_us=after,
        )
