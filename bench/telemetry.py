"""What it costs to measure: drains with and without, in turn, in one process."""

from __future__ import annotations

import statistics
import time

from bench.figure import Figure, figure
from bench.place import database, platform
from bench.work import drain

ROUNDS = 6


async def telemetry_cost(store: str, quick: bool) -> Figure:
    """Drain rate with what is on by default over that with nothing measured; 1 = it is free. `cpu`
    is the same by this process's own time, which others on the machine do not touch.
    """
    count = 5_000 if quick else 20_000
    wall: dict[bool, list[float]] = {True: [], False: []}
    cpu: dict[bool, list[float]] = {True: [], False: []}
    async with database(store) as url, platform(url) as place:
        owner = place.engine.owners[place.env.shard_id]
        for _ in range(ROUNDS):
            for on in (True, False):
                place.engine.measured = owner.measures.on = on
                await place.trigger(count)
                begin = time.process_time()
                wall[on].append(await drain(place, count))
                cpu[on].append(time.process_time() - begin)
    seconds, ratio = (statistics.median(wall[True]), _ratio(wall))
    return figure("telemetry_cost", store, count, seconds, ratio=ratio, cpu=_ratio(cpu))


def _ratio(found: dict[bool, list[float]]) -> float:
    return round(statistics.median(found[False]) / statistics.median(found[True]), 3)
