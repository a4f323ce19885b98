"""Benchmarks of durable execution: steps, waits, replays. Figures come with their CPU by process.

`server` is the process of the benchmark, which feeds and measures too; embedded it is everything.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from bench import forked_tasks
from bench.figure import Figure
from bench.stage import Stage, embedded, memory_mib, staged
from mainspring.wire import calls
from mainspring.wire.worker import Execute, ToWorker

CONCURRENT = 100
STEPS = 10
PAUSE_S = 0.004
FORKED = Path(forked_tasks.__file__)


def latency(name: str, store: str, seconds: Sequence[float], **more: object) -> Figure:
    found = sorted(one * 1000 for one in seconds)
    return {
        "bench": name,
        "store": store,
        "p50_ms": round(statistics.median(found), 2),
        "p99_ms": round(found[max(0, int(len(found) * 0.99) - 1)], 2),
        "n": len(found),
        **more,
    }


async def step_latency(store: str, quick: bool) -> Figure:
    """One run, awaited steps one after another; server and worker are two processes."""
    async with staged(store) as stage:
        await stage.start(100)
        return await _timed("step_latency", store, stage, quick)


async def step_latency_embedded(store: str, quick: bool) -> Figure:
    """The same in one process."""
    async with embedded(store, 100) as (stage, worker), worker.at_work():
        return await _timed("step_latency_embedded", store, stage, quick)


async def _timed(name: str, store: str, stage: Stage, quick: bool) -> Figure:
    count = 300 if quick else 2_000
    await stage.result("timed", count=50)
    before = stage.cpu()
    found = await stage.result("timed", count=count)
    return latency(name, store, found, **stage.cpu_us(before, count))


async def steps_100x10(store: str, quick: bool) -> Figure:
    """Steps of runs with 10 each, 100 runs at once; claims and ends are included."""
    count = 300 if quick else 2_000
    async with staged(store) as stage:
        await stage.trigger("ten", *[{}] * count)
        ended = stage.owner.ended
        await stage.start(CONCURRENT)
        return await _drained("steps_100x10", store, stage, ended, count)


async def steps_100x10_embedded(store: str, quick: bool) -> Figure:
    """The same in one process."""
    count = 300 if quick else 2_000
    async with embedded(store, CONCURRENT) as (stage, worker):
        await stage.trigger("ten", *[{}] * count)
        ended = stage.owner.ended
        async with worker.at_work():
            return await _drained("steps_100x10_embedded", store, stage, ended, count)


async def _drained(name: str, store: str, stage: Stage, ended: int, count: int) -> Figure:
    """From the first commit with ends to the last one: the start of a process is no step's cost."""
    await stage.ended(ended + 1)
    first, commits = stage.owner.ended, stage.owner.commits
    before, begin = stage.cpu(), time.perf_counter()
    await stage.ended(ended + count)
    seconds = time.perf_counter() - begin
    steps = STEPS * (ended + count - first)
    return {
        "bench": name,
        "store": store,
        "per_s": round(steps / seconds),
        "n": steps,
        "steps_a_commit": round(steps / (stage.owner.commits - commits), 1),
        **stage.cpu_us(before, steps),
    }


async def resume_hot(store: str, quick: bool) -> Figure:
    """From the word that a token is complete to the next line of the code that waits for it."""
    count = 50 if quick else 300
    async with staged(store) as stage:
        await stage.start(100)
        await stage.result("children", count=10)
        made = [await stage.engine.answer(stage.env, calls.CreateToken()) for _ in range(count)]
        ids = [one.id for one in made if isinstance(one, calls.Token)]
        (run_id,) = await stage.trigger("tokens", {"ids": ids})
        begins = []
        before = stage.cpu()
        for token_id in ids:
            await stage.parked(1)
            await asyncio.sleep(PAUSE_S)
            begins.append(time.perf_counter())
            await stage.engine.answer(stage.env, calls.CompleteToken(token_id, "1"))
        ends = await stage.output(run_id)
        costs = stage.cpu_us(before, count)
        found = [end - begin for begin, end in zip(begins, ends, strict=True)]
        child = latency("", "", await stage.result("children", count=count))
        return latency(
            "resume_hot",
            store,
            found,
            child_p50_ms=child["p50_ms"],
            child_p99_ms=child["p99_ms"],
            **costs,
        )


async def replay(store: str, quick: bool) -> Figure:
    """CPU for each recorded step of a run that goes on in a fresh process."""
    found: dict[str, object] = {}
    for count in (1_000,) if quick else (1_000, 10_000):
        found |= await _replayed(store, count)
    return {"bench": "replay", "store": store, **found}


async def _replayed(store: str, count: int) -> dict[str, object]:
    async with staged(store) as stage:
        await stage.start(100)
        token = await stage.engine.answer(stage.env, calls.CreateToken())
        assert isinstance(token, calls.Token)
        (run_id,) = await stage.trigger("long", {"count": count, "token": token.id})
        await stage.parked(1)
        await stage.stop(kill=True)
        await stage.start(100)
        await asyncio.sleep(0.5)  # what a process does after its start is no part of it
        before, begin = stage.cpu(), time.perf_counter()
        await stage.engine.answer(stage.env, calls.CompleteToken(token.id, "1"))
        spent = await stage.output(run_id)
        seconds = time.perf_counter() - begin
        costs = stage.cpu_us(before, count)
        return {
            f"code_us_{count}": round(spent["cpu"] / count * 1e6, 2),
            **{f"{name}_{count}": value for name, value in costs.items()},
            f"ms_{count}": round(seconds * 1000, 1),
        }


async def parked_100k(store: str, quick: bool) -> Figure:
    """Runs that wait at once in one worker process: its memory, and the time until all have ended.

    All wait for the same moment, which is set so that there is time to begin to.
    """
    count = 5_000 if quick else 100_000
    async with staged(store) as stage:
        await stage.start(1000, parked=2 * count)
        await stage.result("children", count=1)
        ended, fresh = stage.owner.ended, memory_mib(stage.worker_pids[0])
        begin, before = time.time(), stage.cpu()
        until = begin + 10 + count / 2500
        await stage.trigger("sleeper", *[{"until": until}] * count)
        waiting = await stage.parked(count, until)
        seconds, costs = time.time() - begin, stage.cpu_us(before, count)
        memory = memory_mib(stage.worker_pids[0])
        server = memory_mib(os.getpid())
        await asyncio.sleep(until - time.time())
        before = stage.cpu()
        await stage.ended(ended + count)
        return {
            "bench": "parked_100k",
            "store": store,
            "n": count,
            "parked": waiting,
            **memory,
            "kib_a_run": round((memory["pss_mib"] - fresh["pss_mib"]) * 1024 / count, 2),
            "server_rss_mib": server["rss_mib"],
            "park_per_s": round(waiting / seconds),
            **{f"park_{name}": value for name, value in costs.items()},
            "woken_s": round(time.time() - until, 2),
            **{f"wake_{name}": value for name, value in stage.cpu_us(before, count).items()},
        }


async def fork(store: str, quick: bool) -> Figure:
    """From the order to the first instruction of the body, in a process of its own."""
    count = 50 if quick else 200
    async with staged(store, FORKED) as stage:
        await stage.start(100)
        (session,) = stage.owner.state.sessions.values()
        deliver, ordered = session.deliver, list[float]()
        assert deliver is not None

        def noting(orders: list[ToWorker]) -> None:
            if any(isinstance(order, Execute) for order in orders):
                ordered.append(time.perf_counter())
            deliver(orders)

        session.deliver = noting
        for _ in range(10):
            await stage.result("first")
        ordered.clear()
        begun, before = [], stage.cpu()
        for _ in range(count):
            await asyncio.sleep(PAUSE_S)
            begun.append(await stage.result("first"))
        found = [at - order for order, at in zip(ordered, begun, strict=True)]
        return latency("fork", store, found, **stage.cpu_us(before, count))
