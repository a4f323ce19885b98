"""Four environments on one server and on two, as processes of their own on one PostgreSQL.

    python -m bench.servers URL NUMBER SHARE EACH

is one of the servers: it takes its share of the shards, says so, waits for a line on standard
input, works off that many runs in each environment of its own, and prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from subprocess import PIPE

from bench.figure import Figure
from bench.place import Platform, database, platform, store_of
from bench.shards import SLOTS, another, through
from bench.stage import backends, cpu_seconds, until
from bench.tasks import noop
from mainspring.clock import SystemClock
from mainspring.engine.engine import Engine

ENVIRONMENTS = 4
ROUNDS = 3


async def servers_2(store: str, quick: bool) -> Figure:
    """Runs a second of two servers over those of one; on SQLite, which one server owns, 1."""
    if store == "sqlite":
        return {"bench": "servers_2", "store": store, "per_s": 0, "n": 0, "ratio": 1.0}
    each = 1_000 if quick else 5_000
    found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for _ in range(ROUNDS):  # in turn, since the machine may have other work
        for servers, rounds in found.items():
            rounds.append(await measured(store, servers, each))
    best = {servers: max(rounds, key=lambda one: one["per_s"]) for servers, rounds in found.items()}
    least = {servers: min(one["cpu_us"] for one in rounds) for servers, rounds in found.items()}
    return {
        "bench": "servers_2",
        "store": store,
        "per_s": best[2]["per_s"],
        "n": ENVIRONMENTS * each,
        "ratio": round(best[2]["per_s"] / best[1]["per_s"], 2),
        "cpu_ratio": round(least[2] / least[1], 2),
        "servers": best,
    }


async def measured(store: str, servers: int, each: int) -> dict[str, float]:
    """Runs a second, and microseconds of CPU of a run from its trigger to its end."""
    async with database(store) as url:
        async with platform(url) as place:
            for number in range(ENVIRONMENTS - 1):  # one is there already
                await another(place, f"env-{number}")
        share = ENVIRONMENTS // servers
        async with contextlib.AsyncExitStack() as stack:
            children = [
                await stack.enter_async_context(child(url, number, share, each))
                for number in range(servers)
            ]
            for one in children:
                await line(one)
            before, began = cpu_seconds(backends(url)), time.perf_counter()
            for one in children:
                assert one.stdin is not None
                one.stdin.write(b"go\n")
            server = sum([(await line(one))["cpu_s"] for one in children])
            wall, spent = time.perf_counter() - began, cpu_seconds(backends(url)) - before
    runs = ENVIRONMENTS * each
    cpu = {"server_us": round(server / runs * 1e6, 1), "database_us": round(spent / runs * 1e6, 1)}
    return {"per_s": round(runs / wall), "cpu_us": round(sum(cpu.values()), 1), **cpu}


@contextlib.asynccontextmanager
async def child(
    url: str, number: int, share: int, each: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    words = ("-m", "bench.servers", url, str(number), str(share), str(each))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def line(process: asyncio.subprocess.Process) -> dict[str, float]:
    assert process.stdout is not None
    found: dict[str, float] = json.loads(await process.stdout.readline())
    return found


async def serve(url: str, number: int, share: int, each: int) -> None:
    """One server, from its start until its standard input ends."""
    assert noop.id == "noop"  # which registers it
    store = store_of(url)
    await store.open()
    name = f"bench-{number}"
    engine = Engine(store, store.objects, SystemClock(), random.Random(), name, f"{name}:1")
    await engine.start()
    try:
        await until(
            lambda: len(engine.owners) == share and all(map(engine.shares.owns, engine.owners))
        )
        envs = [env for one in engine.owners.values() for env in one.state.environments.values()]
        places = [Platform(store, engine, await engine.environment(env.slug)) for env in envs]
        await asyncio.gather(*(through(one, SLOTS) for one in places))
        say({"shards": len(places)})
        await asyncio.to_thread(sys.stdin.readline)
        before = cpu_seconds([os.getpid()])
        await asyncio.gather(*(through(one, each) for one in places))
        say({"cpu_s": cpu_seconds([os.getpid()]) - before})
        await asyncio.to_thread(sys.stdin.readline)
    finally:
        await engine.stop()
        await store.close()


def say(found: dict[str, float]) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
