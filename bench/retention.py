"""What it takes to delete a run that is over, beside what it took to have it."""

from __future__ import annotations

import time

from bench.figure import Figure, figure
from bench.held import Meter
from bench.place import database, platform
from bench.work import drain
from mainspring.clock import SystemClock
from mainspring.model.limits import DAY_MS

RUNS = 5_000
LOOKS = 10


async def retention(store: str, quick: bool) -> Figure:
    """Runs a second that retention deletes when nothing else is to be done. Of a run, microseconds
    of CPU to queue, execute and end it, and to delete it; deleting over the former as `ratio`.
    """
    rounds = 2 if quick else 6
    count = rounds * RUNS
    async with database(store) as url, platform(url) as place:
        owner = place.engine.owners[place.env.shard_id]
        await place.trigger(RUNS)
        await drain(place, RUNS)
        meter = Meter(url)
        for _ in range(rounds):
            await place.trigger(RUNS)
            await drain(place, RUNS)
        made = meter.per_run(count)
        now = SystemClock().now() + 2 * DAY_MS
        begin = time.perf_counter()
        while await place.store.past.page(place.env.shard_id, "", 1):
            for _ in range(LOOKS):
                await owner.retention.look(owner.epoch, now, DAY_MS)
        seconds = time.perf_counter() - begin
        gone = meter.per_run(count + RUNS)
    return figure(
        "retention",
        store,
        count + RUNS,
        seconds,
        ratio=round(sum(gone.values()) / sum(made.values()), 2),
        made_us=made,
        deleted_us=gone,
    )
