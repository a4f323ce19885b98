"""Three servers and four workers on one PostgreSQL: owners and workers are killed under load.

A short form runs always, the whole one with `./dev chaos`.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.errors import MainspringError
from mainspring.model.run import Status, TriggerRequest
from mainspring.wire import calls
from tests.system.cluster import lives
from tests.system.fleet import Fleet
from tests.system.test_crash import Load, check_history, check_rows
from tests.system.watching import registered, until

FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
KILLS = int(os.environ.get("MAINSPRING_KILLS", "50" if FULL else "2"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + 40 * KILLS)]
STARTED_S = 10.0 if FULL else 60.0
"""A run that is triggered after the death of its owner has begun by then; the promise is 6 s, the
rest is for a machine that has other work.
"""


@pytest.fixture
def fleet(fresh_postgres_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, fresh_postgres_url)
    try:
        yield fleet
    finally:
        fleet.abandon()


async def begun_after(fleet: Fleet, client_died_at: float) -> float:
    """Seconds from then until a run that is triggered now has begun."""
    client = fleet.client()
    try:
        while True:
            try:
                made = await client.call(calls.Trigger([TriggerRequest("quick", '{"pause":0}')]))
                break
            except MainspringError:
                continue
        assert isinstance(made, calls.Triggered)
        run_id = made.answers[0].run_id
        await until(lambda: any(line["run"] == run_id for line in fleet.told()))
        return time.monotonic() - client_died_at
    finally:
        await client.close()


async def kill_in_turn(fleet: Fleet, chance: random.Random) -> list[float]:
    """Kill an owner and a worker at a time; how long new work had to wait for the next owner."""
    waits = []
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.2, 1.5))
        worker = chance.choice(fleet.workers)
        await asyncio.to_thread(fleet.kill_worker, worker, with_children=True)
        fleet.start_worker(processes=1)
        while (owner := await fleet.owner()) is None:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
        await asyncio.to_thread(fleet.kill_member, owner)
        waits.append(await begun_after(fleet, time.monotonic()))
        fleet.start_member()
    return waits


def begun_again(fleet: Fleet) -> list[float]:
    """Seconds from the death of a worker to when each run that it executed has begun elsewhere."""
    found, cut = [], dict[str, int]()
    for life in sorted(lives(fleet.told(), fleet.deaths), key=lambda life: life.begun):
        if life.run in cut:
            found.append((life.begun - cut.pop(life.run)) / 1e9)
        if life.over in fleet.deaths.values():
            cut[life.run] = life.over
    return found


def spread(times: list[float]) -> str:
    times = sorted(times)
    return f"median {times[len(times) // 2]:.1f} s, worst {times[-1]:.1f} s" if times else "-"


def show(waits: list[float], again: list[float], runs: int) -> None:
    print(  # noqa: T201 - with -s it is the table of ./dev chaos
        f"\n{KILLS} x an owner and a worker killed: {runs} runs acknowledged, 0 lost; new work "
        f"began after an owner's death: {spread(waits)}; {len(again)} runs of dead workers began "
        f"again: {spread(again)}"
    )


async def test_owners_and_workers_are_killed_and_nothing_is_lost(fleet: Fleet) -> None:
    chance = random.Random(11)
    for _ in range(3):
        fleet.start_member()
    async with fleet.balanced(chance):
        for _ in range(4):
            fleet.start_worker(processes=1)
        await registered(fleet)
        load = Load(fleet, chance)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(load.trigger())
            group.create_task(load.watch())
            waits = await kill_in_turn(fleet, chance)
            ends = await load.wait_for_all()
        await fleet.stop()
    show(waits, begun_again(fleet), len(ends))
    assert max(waits) < STARTED_S, waits
    assert {run.status for run in ends.values()} == {Status.COMPLETED}
    check_history(fleet, ends)
    await check_rows(fleet.database, set(ends))
