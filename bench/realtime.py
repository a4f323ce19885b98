"""Many subscribers on one server process: what each costs, and how soon it hears of a change."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from bench.figure import Figure
from bench.place import database
from bench.processes import Bits, fill
from mainspring.app.hosted import hosted
from mainspring.app.stores import locate, migrate
from mainspring.engine.engine import Engine
from mainspring.model.key import new_key
from mainspring.settings import ServerSettings
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from mainspring.wire.worker import Op

PROCESSES = 2
EACH = 4
"""Subscribers of one run."""
PER_S = 200
WARM = 1_000
"""Runs that nobody follows, for what is to happen before anything is measured."""


async def subscribers(store: str, quick: bool) -> Figure:
    """Half of them events, half long polls; 200 changes a second, each to four of them."""
    count, seconds = (2_000, 4) if quick else (10_000, 8)
    key = new_key("dev", Bits())
    settings = ServerSettings(port=0, max_connections=2 * count, access_log=False)
    async with database(store) as url:
        place = locate(url)
        await migrate(place)
        async with hosted(place, settings, key=key) as server:
            env = await server.engine.environment("dev")
            await fill(server.engine, count // EACH + WARM)
            ids = await newest(server.engine, env, count // EACH + WARM)
            port = int(server.url.rpartition(":")[2])
            await change(server.engine, env, [ids.pop() for _ in range(WARM)], 0.5)
            gc.collect()
            before = resident()
            crowd = [await joined(port, key, ids * (EACH // PROCESSES)) for _ in range(PROCESSES)]
            gc.collect()
            kib = (resident() - before) / count
            cpu = time.process_time()
            made = await change(server.engine, env, ids, seconds)
            cpu = time.process_time() - cpu
            await asyncio.sleep(1)
            late, broken = [], 0
            for process in crowd:
                found = await measured(process)
                late += found["late"]
                broken += found["broken"]
    late.sort()
    return {
        "bench": "subscribers",
        "store": store,
        "kib_each": round(kib, 1),
        "p50_ms": round(late[len(late) // 2] * 1000, 1),
        "p99_ms": round(late[int(len(late) * 0.99)] * 1000, 1),
        "changes_s": round(made / seconds),
        "heard": len(late),
        "wanted": made * EACH,
        "cpu": round(cpu / seconds, 2),
        "broken": broken,
        "n": count,
    }


async def newest(engine: Engine, env: EnvironmentRow, count: int) -> list[str]:
    return await engine.show(env).latest((), None, count)


async def change(engine: Engine, env: EnvironmentRow, ids: list[str], seconds: float) -> int:
    """Change a run's metadata `PER_S` times a second, one run after the other; how often."""
    begin, made = time.perf_counter(), 0
    tasks = []
    while (now := time.perf_counter() - begin) < seconds:
        while made < now * PER_S:
            op = Op("set", "at", json.dumps(time.time()))
            request = calls.UpdateMetadata(ids[made % len(ids)], [op])
            tasks.append(asyncio.create_task(engine.answer(env, request)))
            made += 1
        await asyncio.sleep(0.005)
    await asyncio.gather(*tasks)
    return made


async def joined(port: int, key: str, ids: list[str]) -> Process:
    """A process of subscribers, all connected."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.subscribers", str(port), key, stdin=PIPE, stdout=PIPE,
        limit=1 << 26,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(("\n".join(ids) + "\n\n").encode())
    assert await process.stdout.readline() == b"connected\n"
    return process


async def measured(process: Process) -> dict[str, object]:
    """What a process has measured; ends it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    found = json.loads(await process.stdout.readline())
    await process.wait()
    return found


def resident() -> float:
    """KiB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4.0
