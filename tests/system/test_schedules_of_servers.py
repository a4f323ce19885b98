"""Schedules on three servers that are killed at random: each tick makes exactly one run.

A short form runs always, that of 10,000 ticks with `./dev chaos`.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from mainspring.errors import MainspringError
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from mainspring.wire.operating import SetSchedule
from mainspring.wire.ticks import ScheduledPayload
from tests.system.fleet import Fleet
from tests.system.watching import registered

FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
SCHEDULES, TICKS = (100, 10_000) if FULL else (10, 150)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 if FULL else 120)]
TASKS = Path(__file__).with_name("schedule_tasks.py")


@pytest.fixture
def fleet(fresh_postgres_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, fresh_postgres_url, tasks=TASKS)
    try:
        yield fleet
    finally:
        fleet.abandon()


async def asked(client: HttpTransport, request: calls.Request) -> Any:
    """The answer, of whichever server gives one."""
    while True:
        try:
            return await client.call(request)
        except MainspringError:
            await asyncio.sleep(0.05)


async def ticks(connection: asyncpg.Connection) -> dict[str, list[int]]:
    """The ticks for which runs were made, in seconds, by schedule."""
    found: dict[str, list[int]] = defaultdict(list)
    for (payload,) in await connection.fetch("SELECT payload FROM run"):
        tick = msgspec.json.decode(payload, type=ScheduledPayload)
        found[tick.schedule_id].append(round(tick.timestamp.timestamp()))
    return found


async def test_each_tick_makes_one_run_whichever_server_dies(fleet: Fleet) -> None:
    chance, kills = random.Random(7), 0
    for _ in range(3):
        fleet.start_member()
    client = fleet.client()
    connection = await asyncpg.connect(fleet.database)
    async with fleet.balanced(chance):
        worker = fleet.start_worker(1)
        await registered(fleet)
        fleet.kill_worker(worker, with_children=True)
        wanted = (
            SetSchedule("beat", "@every 1s", dedup_key=f"key-{number}", catch_up="all")
            for number in range(1, SCHEDULES)
        )
        made = {(await asked(client, request)).id for request in wanted}
        while (count := await connection.fetchval("SELECT count(*) FROM run")) < TICKS:
            await asyncio.sleep(chance.uniform(1.0, 4.0))
            owner = await fleet.owner()
            victim = chance.choice([*fleet.members, *([owner] * 2 if owner else [])])
            await asyncio.to_thread(fleet.kill_member, victim)
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            fleet.start_member()
            kills += 1
        await client.close()
        await fleet.stop()
    found = await ticks(connection)
    await connection.close()
    print(f"\n{kills} x a server killed: {count} ticks of {len(found)} schedules")  # noqa: T201
    assert made < found.keys()
    for each in found.values():
        assert sorted(each) == list(range(min(each), max(each) + 1))
