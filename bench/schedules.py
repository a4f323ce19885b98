"""Benchmark of schedules: how late ticks start when there are many."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec

from bench.figure import Figure
from bench.place import Platform, database, platform
from bench.tasks import STARTED
from bench.work import worker
from mainspring.model.firing import Timing
from mainspring.store.changes import Changes
from mainspring.store.operating import ScheduleRow

EACH_MS: Final = 10
"""Mean time between two firings, of all schedules together."""
AHEAD_MS: Final = 15_000
"""Time to fill the table in."""


async def schedules_100k(store: str, quick: bool) -> Figure:
    """100,000 schedules, one of which fires each 10 ms; from the due time to the body's start."""
    count, seconds = (10_000, 10) if quick else (100_000, 40)
    every = f"@every {count * EACH_MS // 1000}s"
    async with database(store) as url:
        async with platform(url) as place:
            filled_at = time.time()
            due = await _fill(place, count, every)
        async with platform(url) as place, worker(place, 1000):
            await asyncio.sleep(max(0, filled_at + AHEAD_MS / 1000 - time.time()))
            STARTED.clear()
            cpu, begin = time.process_time(), time.time()
            await asyncio.sleep(seconds)
            used, until = time.process_time() - cpu, time.time()
            await asyncio.sleep(2)
            late = sorted(
                STARTED[id_] - at / 1000 if id_ in STARTED else float("inf")
                for id_, at in due.items()
                if begin < at / 1000 <= until
            )
    return {
        "bench": "schedules_100k",
        "store": store,
        "n": len(late),
        "p50_ms": round(late[len(late) // 2] * 1000, 1),
        "p99_ms": round(late[int(len(late) * 0.99) - 1] * 1000, 1),
        "max_ms": round(late[-1] * 1000, 1),
        "cpu_us": round(used / len(late) * 1e6),
    }


async def _fill(place: Platform, count: int, every: str) -> dict[str, int]:
    """Schedules straight into the table, spread over their interval; when each is due."""
    owner = place.engine.owners[place.env.shard_id]
    now, due = int(time.time() * 1000), {}
    for first in range(0, count, 5_000):
        changes = Changes(now, owner.feed.number())
        for number in range(first, min(first + 5_000, count)):
            key = f"key-{number}"
            timing = Timing(every, "UTC", "100%", "latest", f"{place.env.env_id}:{key}")
            begun = timing.begin(now - count * EACH_MS)
            if begun.fire_at < now + AHEAD_MS:
                begun = timing.begin(begun.next_at or now)
            id_ = owner.state.ids.new("sched", now, place.env.shard_id)
            due[id_] = begun.fire_at
            row = ScheduleRow(
                id_, place.env.env_id, "imperative", "ticked", every, "UTC", "100%", key, None, 1,
                begun.next_at or 0, None, now, now, begun.fire_at,
            )  # fmt: skip
            changes.schedule.append(msgspec.structs.astuple(row))
        await place.store.shards.commit(place.env.shard_id, owner.epoch, changes)
    return due
