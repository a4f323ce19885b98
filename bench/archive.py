"""How fast old runs are archived, and what that takes from a server at work meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator

import apsw
import asyncpg

from bench.figure import Figure
from bench.place import Platform, database, fill_finished, platform
from bench.work import SLOTS, worker
from mainspring.app.archives import depot_at
from mainspring.engine import archiving
from mainspring.engine.owner import Owner

LINES = 2
"""Lines of each old run."""
LOOK_S = 0.05
CALL = 2_000
ALONE_S = 5.0


async def archive(store: str, quick: bool) -> Figure:
    """Rows a second, first with nothing else to do, then beside a server that triggers and executes
    as fast as it can; and how much of its speed without old runs that server keeps.
    """
    one = archiving.MOST
    count = one * (2 if quick else 3)
    async with database(store) as url, contextlib.AsyncExitStack() as stack:
        async with platform(url):
            pass  # the schema and the environment
        await fill_finished(url, count)
        await fill_lines(url, count)
        async with platform(url) as place:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mainspring-bench-"))
            place.engine.depot = depot_at(folder)
            place.engine.keep_ms = 86_400_000
            quiet = await watched(place, one)
            place.engine.keep_ms = 0
            async with load(place):
                alone = await ended(place, ALONE_S)
                place.engine.keep_ms = 86_400_000
                busy = await watched(place, count)
            found = owner_of(place).retention.archiving
            place.engine.depot.close()
            rows = one * (1 + LINES)
            return {
                "bench": "archive",
                "store": store,
                "per_s": round(rows / quiet["writing_s"]),
                "n": count * (1 + LINES),
                "ratio": round(busy["writing_per_s"] / alone, 2),
                "bytes_a_run": round(found.bytes / count),
                "rows_per_s_beside": round((count - one) * (1 + LINES) / busy["writing_s"]),
                "deleting_ratio": round(busy["deleting_per_s"] / alone, 2),
                "runs_per_s": {"alone": round(alone), **{k: round(v) for k, v in busy.items()}},
                "deleting_s": round(quiet["deleting_s"], 1),
            }


async def watched(place: Platform, until: int) -> dict[str, float]:
    """Seconds in which an archive was written and rows were deleted, and runs that ended a second
    meanwhile, until so many runs are archived and deleted.
    """
    owner = owner_of(place)
    found = owner.retention.archiving
    seconds = {"writing": 0.0, "deleting": 0.0}
    ends = dict.fromkeys(seconds, 0)
    while found.archived < until or found.row is not None:
        phase = "deleting" if found.row is not None else "writing"
        is_on = found.row is not None or found.is_busy
        at, so_far = time.perf_counter(), owner.ended
        await asyncio.sleep(LOOK_S)
        if is_on:
            seconds[phase] += time.perf_counter() - at
            ends[phase] += owner.ended - so_far
    return {f"{phase}_s": spent for phase, spent in seconds.items()} | {
        f"{phase}_per_s": ends[phase] / spent for phase, spent in seconds.items()
    }


def owner_of(place: Platform) -> Owner:
    return place.engine.owners[place.env.shard_id]


@contextlib.asynccontextmanager
async def load(place: Platform) -> AsyncIterator[None]:
    """Runs are triggered and executed without end."""
    owner = owner_of(place)

    async def trigger() -> None:
        goal = owner.ended - CALL
        while True:
            goal += CALL
            await place.trigger(CALL)
            while owner.ended < goal:  # the last call's are there to be executed
                await owner.turn_over()

    async with worker(place, SLOTS):
        task = asyncio.create_task(trigger())
        try:
            await asyncio.sleep(1)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def ended(place: Platform, seconds: float) -> float:
    """Runs that end a second."""
    owner = owner_of(place)
    at, so_far = time.perf_counter(), owner.ended
    await asyncio.sleep(seconds)
    return (owner.ended - so_far) / (time.perf_counter() - at)


async def fill_lines(url: str, count: int) -> None:
    """Lines of the runs that `fill_finished` made, as a task would write them."""
    text = (
        "INSERT INTO log (shard_id, run_id, seq, at, level, message, data) SELECT n.shard_id, "
        "n.run_id, g.seq, n.created_at, 'info', 'processed 250 rows of ' || n.run_id, NULL "
        "FROM run n CROSS JOIN {numbers}"
    )
    if url.startswith("sqlite:///"):
        numbers = " UNION ALL ".join(f"SELECT {n} AS seq" for n in range(1, LINES + 1))
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        with connection:
            connection.execute(text.format(numbers=f"({numbers}) g"))
        connection.close()
        return
    admin = await asyncpg.connect(url)
    await admin.execute(text.format(numbers=f"generate_series(1, {LINES}) AS g(seq)"))
    await admin.execute("ANALYZE")
    await admin.close()
