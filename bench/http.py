"""Triggers over HTTP, from a client in a process of its own, to the acknowledged commit."""

from __future__ import annotations

import asyncio
import json
import sys

from bench.figure import Figure, figure
from bench.place import database
from bench.processes import Bits
from bench.stage import Stage
from mainspring.app.hosted import hosted
from mainspring.app.stores import locate, migrate
from mainspring.model.key import new_key
from mainspring.model.task import TaskSpec
from mainspring.settings import ServerSettings

CONNECTIONS = 64


async def http_trigger(store: str, quick: bool) -> Figure:
    """As fast as 64 connections ask, each for one run after the other."""
    count = 4_000 if quick else 20_000
    told, cpu = await _measured(store, count)
    return figure("http_trigger", store, count, told["seconds"], p99_ms=told["p99_ms"], **cpu)


async def http_trigger_500(store: str, quick: bool) -> Figure:
    """500 a second, from the moment each is due to its answer."""
    count = 1_500 if quick else 7_500
    told, cpu = await _measured(store, count, 500)
    return {
        "bench": "http_trigger_500",
        "store": store,
        "p50_ms": told["p50_ms"],
        "p99_ms": told["p99_ms"],
        "n": count,
        **cpu,
    }


async def _measured(
    store: str, count: int, per_s: float = 0
) -> tuple[dict[str, float], dict[str, float]]:
    """What the client tells, and microseconds of CPU per request of server and database."""
    key = new_key("dev", Bits())
    async with database(store) as url:
        place = locate(url)
        await migrate(place)
        settings = ServerSettings(port=0, access_log=False)
        async with hosted(place, settings, key=key) as server:
            env = await server.engine.environment("dev")
            stage = Stage(server.engine, env, url)
            stage.owner.state.set_task(env.env_id, TaskSpec("noop", "task/noop"), "")
            client = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.http_client", server.url, key),
                *(str(CONNECTIONS), str(count), str(per_s)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert client.stdin is not None
            assert client.stdout is not None
            assert await client.stdout.readline() == b"warm\n"
            before = stage.cpu()
            client.stdin.write(b"\n")
            told = json.loads(await client.stdout.readline())
            cpu = stage.cpu_us(before, count)
            await client.wait()
    return told, cpu
