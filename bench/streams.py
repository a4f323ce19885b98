"""Benchmarks of streams: from a token that a task writes to the reader of its events."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench import stream_tasks
from bench.durable import latency
from bench.figure import Figure
from bench.stage import Staged, staged

TASKS = Path(stream_tasks.__file__)
PAUSE_S = 0.02


async def stream_latency(store: str, quick: bool) -> Figure:
    """One run, 50 tokens a second; server with the reader, and worker, are two processes."""
    return await _measured("stream_latency", store, 1, 100 if quick else 500)


async def stream_latency_20(store: str, quick: bool) -> Figure:
    """The same with 20 runs at once, each with a reader."""
    return await _measured("stream_latency_20", store, 20, 50 if quick else 200)


async def _measured(name: str, store: str, runs: int, count: int) -> Figure:
    async with staged(store, TASKS) as stage:
        await stage.start(100)
        before = stage.cpu()
        ids = await stage.trigger("talk", *[{"count": count, "pause": PAUSE_S}] * runs)
        found = await asyncio.gather(*(_read(stage, run_id) for run_id in ids))
        costs = stage.cpu_us(before, runs * count)
        assert all(len(one) == count for one in found), [len(one) for one in found]
        return latency(name, store, [delay for one in found for delay in one], **costs)


async def _read(stage: Staged, run_id: str) -> list[float]:
    """Seconds that each token took to come."""
    url = urlsplit(stage.config.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(
        f"GET /realtime/v1/streams/{run_id}/out HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Authorization: Bearer {stage.config.key}\r\nConnection: close\r\n\r\n".encode()
    )
    found: list[float] = []
    while line := await reader.readline():
        if line.startswith(b"data: "):
            now = time.perf_counter()
            records = json.loads(line.removeprefix(b"data: "))["records"]
            found += [now - json.loads(record["body"])["data"] for record in records]
    writer.close()
    return found
