"""The benchmarks by name: each takes a store's kind and `quick`, and returns one figure."""

from __future__ import annotations

import asyncio
import statistics
import time

from bench.archive import archive
from bench.cold import cold_1m
from bench.dashboard import (
    dashboard_change,
    dashboard_lines,
    dashboard_pages,
    dashboard_spans,
)
from bench.durable import (
    fork,
    parked_100k,
    replay,
    resume_hot,
    step_latency,
    step_latency_embedded,
    steps_100x10,
    steps_100x10_embedded,
)
from bench.figure import Case, Figure, figure
from bench.held import snapshot_held
from bench.http import http_trigger, http_trigger_500
from bench.place import Platform, database, fill_finished, platform
from bench.processes import drain_processes
from bench.realtime import subscribers
from bench.retention import retention
from bench.schedules import schedules_100k
from bench.servers import servers_2
from bench.shards import shards_100
from bench.streams import stream_latency, stream_latency_20
from bench.tasks import MARKS, noop, stamp
from bench.telemetry import telemetry_cost
from bench.versions import version_change
from bench.work import SLOTS, drain, worker

MEASURED = 20_000


async def drain_embedded(store: str, quick: bool) -> Figure:
    """A backlog of no-ops, engine and worker in one process."""
    count = MEASURED // 5 if quick else MEASURED
    async with database(store) as url, platform(url) as place:
        await place.trigger(count)
        return figure("drain_embedded", store, count, await drain(place, count))


async def trigger_bulk(store: str, quick: bool) -> Figure:
    """New runs, 1,000 a call, acknowledged when durable."""
    count = 10_000 if quick else 50_000
    async with database(store) as url, platform(url) as place:
        return figure("trigger_bulk", store, count, await place.trigger(count))


async def roundtrip_64(store: str, quick: bool) -> Figure:
    """64 callers, each triggers one run, awaits its result, and again."""
    each = 50 if quick else 300
    async with database(store) as url, platform(url) as place, worker(place, SLOTS):

        async def caller() -> None:
            for i in range(each):
                handle = await noop.trigger(i)
                await handle.result()

        await asyncio.gather(*(caller() for _ in range(64)))
        begin = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(64)))
        return figure("roundtrip_64", store, 64 * each, time.perf_counter() - begin)


async def start_latency(store: str, quick: bool) -> Figure:
    """From the trigger call to the start of the body, one at a time on an idle worker."""
    count = 50 if quick else 500
    async with database(store) as url, platform(url) as place, worker(place, SLOTS):
        found = []
        for i in range(count + 20):
            await asyncio.sleep(0.004)
            begin = time.perf_counter()
            handle = await stamp.trigger(i)
            await handle.result()
            found.append((MARKS.pop(i) - begin) * 1000)
        found = sorted(found[20:])
        return {
            "bench": "start_latency",
            "store": store,
            "p50_ms": round(statistics.median(found), 2),
            "p99_ms": round(found[int(len(found) * 0.99) - 1], 2),
            "n": count,
        }


async def small_and_large(place: Platform, size: int, task: str, keys: int) -> tuple[float, float]:
    """Median seconds a run of three drains of 10,000 queued runs, and of three from a backlog."""
    small = []
    for _ in range(3):
        await place.trigger(10_000)
        small.append(await drain(place, 10_000) / 10_000)
    await place.trigger(size, task, keys)
    large = [await drain(place, MEASURED) / MEASURED for _ in range(3)]
    return statistics.median(small), statistics.median(large)


async def backlog_1m(store: str, quick: bool) -> Figure:
    """Drain rate with a large backlog over that with 10,000 queued runs."""
    size = 100_000 if quick else 1_000_000
    async with database(store) as url, platform(url) as place:
        small, large = await small_and_large(place, size, "noop", 0)
        ratio = round(small / large, 2)
        return figure("backlog_1m", store, MEASURED, MEASURED * large, ratio=ratio, queued=size)


async def keys_100k(store: str, quick: bool) -> Figure:
    """The same with the backlog spread over 100,000 concurrency keys, each with a limit."""
    size, keys = (100_000, 10_000) if quick else (1_000_000, 100_000)
    async with database(store) as url, platform(url) as place:
        small, large = await small_and_large(place, size, "keyed", keys)
        ratio = round(small / large, 2)
        return figure("keys_100k", store, MEASURED, MEASURED * large, ratio=ratio, queued=size)


async def limits_cost(store: str, quick: bool) -> Figure:
    """Drain rate of 1,000 concurrency keys with a limit each over that of keys without, in turn."""
    count = MEASURED // 5 if quick else MEASURED
    seconds: dict[str, list[float]] = {"keyed": [], "unlimited": []}
    async with database(store) as url, platform(url) as place:
        for _ in range(5):
            for task, found in seconds.items():
                await place.trigger(count, task, 1000)
                found.append(await drain(place, count))
    keyed, unlimited = (statistics.median(found) for found in seconds.values())
    return figure("limits_cost", store, count, keyed, ratio=round(unlimited / keyed, 2))


async def finished_1m(store: str, quick: bool) -> Figure:
    """Drain rate with 1,000,000 finished runs over that of an empty database."""
    size = 100_000 if quick else 1_000_000
    async with database(store) as url:
        async with platform(url) as place:
            await place.trigger(MEASURED)
            empty = MEASURED / await drain(place, MEASURED)
        await fill_finished(url, size)
        async with platform(url) as place:
            await place.trigger(MEASURED)
            seconds = await drain(place, MEASURED)
        rate = MEASURED / seconds
        return figure(
            "finished_1m", store, MEASURED, seconds, ratio=round(rate / empty, 2), finished=size
        )


CASES: dict[str, Case] = {
    "drain_embedded": drain_embedded,
    "drain_processes": drain_processes,
    "trigger_bulk": trigger_bulk,
    "http_trigger": http_trigger,
    "http_trigger_500": http_trigger_500,
    "roundtrip_64": roundtrip_64,
    "start_latency": start_latency,
    "backlog_1m": backlog_1m,
    "keys_100k": keys_100k,
    "limits_cost": limits_cost,
    "telemetry_cost": telemetry_cost,
    "archive": archive,
    "retention": retention,
    "finished_1m": finished_1m,
    "snapshot_held": snapshot_held,
    "step_latency": step_latency,
    "step_latency_embedded": step_latency_embedded,
    "steps_100x10": steps_100x10,
    "steps_100x10_embedded": steps_100x10_embedded,
    "resume_hot": resume_hot,
    "replay": replay,
    "parked_100k": parked_100k,
    "cold_1m": cold_1m,
    "fork": fork,
    "schedules_100k": schedules_100k,
    "version_change": version_change,
    "subscribers": subscribers,
    "stream_latency": stream_latency,
    "stream_latency_20": stream_latency_20,
    "shards_100": shards_100,
    "servers_2": servers_2,
    "dashboard_pages": dashboard_pages,
    "dashboard_spans": dashboard_spans,
    "dashboard_lines": dashboard_lines,
    "dashboard_change": dashboard_change,
}
