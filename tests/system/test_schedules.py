"""A schedule of each second, while servers and workers are killed: each tick makes one run."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from mainspring.errors import MainspringError
from mainspring.model.run import Run, RunFilter, RunPage
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from mainspring.wire.ticks import ScheduledPayload
from tests.system.cluster import Cluster
from tests.system.watching import ended, registered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TASKS = Path(__file__).with_name("schedule_tasks.py")
KILLS = 5


async def listed(client: HttpTransport) -> list[Run]:
    """All runs of the task, or those there are when a server is there again."""
    found: list[Run] = []
    after: str | None = None
    while True:
        wanted = RunFilter(task=("beat",), limit=100, after=after)
        try:
            page = await client.call(calls.ListRuns(wanted))
        except MainspringError:
            await asyncio.sleep(0.05)
            continue
        assert isinstance(page, RunPage)
        found += page.runs
        after = page.next
        if after is None:
            return found


async def test_each_second_has_one_run_whatever_dies(
    cluster: Cluster, client: HttpTransport
) -> None:
    chance = random.Random(cluster.database.rpartition("/")[2])
    cluster.start_server()
    cluster.start_worker(1)
    await registered(cluster)
    while not await listed(client):  # noqa: ASYNC110 - no event crosses the border
        await asyncio.sleep(0.1)
    for number in range(KILLS):
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        cluster.kill_server()
        if number % 2:
            cluster.kill_worker(cluster.workers[0], with_children=True)
            cluster.start_worker(1)
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        cluster.start_server()
    await registered(cluster)
    seen = len(await listed(client))
    while len(runs := await listed(client)) < seen + 3:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0.1)
    ticks = []
    for run in runs:
        whole = await ended(client, run.id)
        payload = msgspec.json.decode(whole.payload or "", type=ScheduledPayload)
        assert whole.output == f'"{payload.timestamp.isoformat()}"'
        ticks.append(round(payload.timestamp.timestamp()))
    assert sorted(ticks) == list(range(min(ticks), max(ticks) + 1))
    await cluster.stop()
