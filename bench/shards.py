"""What a run costs a server with many shards, each with an environment, a backlog and a worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from bench.figure import Figure
from bench.place import Platform, database, platform
from bench.stage import backends, cpu_seconds
from bench.work import worker
from mainspring.model.task import TaskSpec

SHARDS = (1, 10, 100)
SLOTS = 100
LEAST = 4_000
"""Runs that are measured at least: fewer say little."""
NOOP = TaskSpec("noop", "task/noop")


async def shards_100(store: str, quick: bool) -> Figure:
    """CPU of a run with 100 shards over that with 1, each with the same load."""
    each = 200 if quick else 1_000
    found = [await measured(store, shards, each) for shards in SHARDS]
    return {
        "bench": "shards_100",
        "store": store,
        "per_s": found[-1]["per_s"],
        "n": SHARDS[-1] * each,
        "ratio": round(found[-1]["cpu_us"] / found[0]["cpu_us"], 2),
        "shards": dict(zip(SHARDS, found, strict=True)),
    }


async def measured(store: str, shards: int, each: int) -> dict[str, float]:
    """Runs a second, and microseconds of CPU of a run from its trigger to its end."""
    rounds = max(1, LEAST // (shards * each))
    async with (
        database(store) as url,
        platform(url) as place,
        contextlib.AsyncExitStack() as workers,
    ):
        places = [await another(place, f"env-{number}") for number in range(shards)]
        for one in places:
            await workers.enter_async_context(worker(one, SLOTS))
        # the first round is for statements and connections that are not there yet
        await asyncio.gather(*(ended(one, each) for one in places))
        began, before = time.perf_counter(), spent(url)
        for _ in range(rounds):
            await asyncio.gather(*(ended(one, each) for one in places))
        wall, after = time.perf_counter() - began, spent(url)
        count = shards * each * rounds
        cpu = {f"{name}_us": round((after[name] - before[name]) / count * 1e6, 1) for name in after}
        return {"per_s": round(count / wall), "cpu_us": round(sum(cpu.values()), 1), **cpu}


async def another(place: Platform, slug: str) -> Platform:
    """The same server for an environment of its own, with its shard."""
    env = await place.engine.environment(slug)
    await place.store.catalog.register(env.env_id, "", [NOOP], [])
    place.engine.owners[env.shard_id].state.set_task(env.env_id, NOOP, "")
    return Platform(place.store, place.engine, env)


async def through(place: Platform, count: int) -> None:
    """The same with a worker of its own."""
    async with worker(place, SLOTS):
        await ended(place, count)


async def ended(place: Platform, count: int) -> None:
    """Queue so many runs and wait until they have ended."""
    owner = place.engine.owners[place.env.shard_id]
    goal = owner.ended + count
    await place.trigger(count)
    while owner.ended < goal:
        await owner.turn_over()


def spent(url: str) -> dict[str, float]:
    """Seconds of CPU so far, of this process and of PostgreSQL's."""
    return {"server": cpu_seconds([os.getpid()]), "database": cpu_seconds(backends(url))}
