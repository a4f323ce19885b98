"""An upgrade without a pause, and back: two releases on one PostgreSQL, under load.

Not collected by itself: `./dev upgrade` gives it the source of the release before.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from mainspring.model.run import Status
from tests.system.fleet import Fleet
from tests.system.test_crash import Load, check_history, check_rows
from tests.system.watching import registered

OLD = Path(os.environ["MAINSPRING_UPGRADE_FROM"])
TOGETHER_S = float(os.environ.get("MAINSPRING_UPGRADE_S", "5"))
"""How long each mixture of old and new is at work."""
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def fleet(fresh_postgres_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    connection = await asyncpg.connect(fresh_postgres_url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()
    fleet = Fleet(tmp_path, fresh_postgres_url)
    try:
        yield fleet
    finally:
        fleet.abandon()


async def stop_member(fleet: Fleet, port: int) -> None:
    """A planned stop of one server."""
    member = fleet.members.pop(port)
    member.send_signal(signal.SIGTERM)
    await asyncio.to_thread(member.wait, 60)


async def stop_worker(fleet: Fleet) -> None:
    """A planned stop of the worker that is there for longest."""
    worker = fleet.workers.pop(0)
    worker.send_signal(signal.SIGTERM)
    await asyncio.to_thread(worker.wait, 60)


async def together(fleet: Fleet, load: Load, what: str) -> None:
    """The mixture is at work: it acknowledges and ends runs."""
    before = len(load.acknowledged)
    await asyncio.sleep(TOGETHER_S)
    while len(load.acknowledged) == before:  # noqa: ASYNC110 - other processes
        await asyncio.sleep(0.1)
    print(f"{what}: {len(load.acknowledged) - before} runs acknowledged")  # noqa: T201


async def upgrade_and_back(fleet: Fleet, load: Load, old: list[int]) -> None:
    """New servers first, then new workers; then the old release again, and the new one for good."""
    await together(fleet, load, "old servers, old workers")
    fleet.source = None
    await asyncio.to_thread(fleet.migrate)
    await together(fleet, load, "old servers and workers on the new schema")
    new = [fleet.start_member()]
    await together(fleet, load, "old and new servers, old workers")
    for port in old:
        await stop_member(fleet, port)
    await together(fleet, load, "new server, old workers")
    fleet.start_worker(processes=1, slots=100)
    await stop_worker(fleet)
    await together(fleet, load, "new server, old and new workers")
    fleet.source = OLD
    back = fleet.start_member()
    for port in new:
        await stop_member(fleet, port)
    await together(fleet, load, "old server again, old and new workers")
    fleet.source = None
    fleet.start_member()
    fleet.kill_member(back)
    fleet.start_worker(processes=1, slots=100)
    await stop_worker(fleet)
    await together(fleet, load, "new servers, new workers")


async def test_two_releases_work_together_and_nothing_is_lost(fleet: Fleet) -> None:
    chance = random.Random(3)
    fleet.source = OLD
    await asyncio.to_thread(fleet.migrate)
    old = [fleet.start_member(), fleet.start_member()]
    async with fleet.balanced(chance):
        for _ in range(2):
            fleet.start_worker(processes=1, slots=100)
        await registered(fleet)
        load = Load(fleet, chance)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.trigger())
            group.create_task(load.watch())
            await upgrade_and_back(fleet, load, old)
            ends = await load.wait_for_all()
        await fleet.stop()
    print(f"{len(ends)} runs acknowledged, 0 lost")  # noqa: T201
    assert {run.status for run in ends.values()} == {Status.COMPLETED}
    check_history(fleet, ends)
    await check_rows(fleet.database, set(ends))
