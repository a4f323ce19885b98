"""Runs that wait while there is no worker: what a server that begins with them costs.

`python -m bench.cold URL` is that server, in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import apsw
import asyncpg

from bench.figure import Figure
from bench.place import database, platform
from bench.stage import memory_mib

RUN = (
    "INSERT INTO run (shard_id, run_id, env_id, task, queue, ckey, version, payload, options, "
    "depth, is_test, created_at) SELECT e.shard_id, {id}, e.env_id, 'noop', 'task/noop', '', "
    "'', '{{}}', '', 0, 0, 1700000000000 + n FROM environment e CROSS JOIN {numbers}"
)
PARKED = (
    "INSERT INTO parked (shard_id, run_id, env_id, queue, ckey, version, ord, kind, due_at, epoch, "
    "attempt, started_at, active_ms, session_id) SELECT e.shard_id, {id}, e.env_id, 'task/noop', "
    "'', '', n, 'wait', 0, 1, 1, 1700000000000, 1, 'gone' FROM environment e CROSS JOIN {numbers}"
)
EDGE = (
    "INSERT INTO wait_edge (shard_id, run_id, key, waitpoint_id, kind, generation, seq, due_at, "
    "fingerprint, created_at) SELECT e.shard_id, {id}, 'wait:time', '', 'time', 0, 1, "
    "4000000000000 + n, '', 1700000000000 FROM environment e CROSS JOIN {numbers}"
)
TIMER = (
    "INSERT INTO timer (shard_id, fire_at, kind, run_id) SELECT e.shard_id, 4000000000000 + n, "
    "'wait:wait:time', {id} FROM environment e CROSS JOIN {numbers}"
)


async def cold_1m(store: str, quick: bool) -> Figure:
    """Memory of a server, and seconds until it has begun, with 1,000,000 runs that wait."""
    count = 20_000 if quick else 1_000_000
    async with database(store) as url:
        async with platform(url):
            pass
        empty = await _served(url)
        await _fill(url, count)
        full = await _served(url)
    return {
        "bench": "cold_1m",
        "store": store,
        "n": count,
        **full,
        "empty_rss_mib": empty["rss_mib"],
        "empty_start_s": empty["start_s"],
        "bytes_a_run": round((full["rss_mib"] - empty["rss_mib"]) * 1024 * 1024 / count),
    }


async def _served(url: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.cold", url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    found: dict[str, float] = json.loads(out)
    return found


async def _fill(url: str, count: int) -> None:
    texts = (RUN, PARKED, EDGE, TIMER)
    if url.startswith("sqlite:///"):
        counted = f"SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < {count}"
        numbers = f"(WITH RECURSIVE c AS ({counted}) SELECT n FROM c) g"
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        with connection:
            for text in texts:
                name = "'run_01hf0000000000' || printf('%08d', n)"
                connection.execute(text.format(id=name, numbers=numbers))
        connection.close()
        return
    admin = await asyncpg.connect(url)
    try:
        for text in texts:
            name = "'run_01hf0000000000' || lpad(n::text, 8, '0')"
            numbers = f"generate_series(1, {count}) AS g(n)"
            await admin.execute(text.format(id=name, numbers=numbers))
        await admin.execute("ANALYZE")
    finally:
        await admin.close()


async def serve(url: str) -> dict[str, float]:
    """Begin as a server does, and say what that has cost."""
    begin = time.perf_counter()
    async with platform(url) as place:
        await place.engine.owners[place.env.shard_id].idle()
        start_s = round(time.perf_counter() - begin, 3)
        await asyncio.sleep(1)
        return {**memory_mib(os.getpid()), "start_s": start_s}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(serve(sys.argv[1]))))
