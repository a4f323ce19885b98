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

from mainspring.app.stores import locate, store_at
from mainspring.errors import MainspringError
from mainspring.ids import shard_of
from mainspring.model.run import Status, TriggerRequest
from mainspring.wire import calls
from tests.system.cluster import lives
from tests.system.fleet import Fleet
from tests.system.test_crash import Load, check_history, check_rows
from tests.system.watching import registered

FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
KILLS = int(os.environ.get("MAINSPRING_KILLS", "50" if FULL else "2"))
RATE = int(os.environ.get("MAINSPRING_RATE", "500" if FULL else "20"))
"""Triggers a second, beside those of every kind."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + 40 * KILLS)]
STARTED_S, RESTARTED_S = (6.0, 20.0) if FULL else (60.0, 90.0)
"""So soon a run begins that is triggered after the death of its owner, and one begins again after
the death of its worker. The short form leaves time for a machine that has other work.
"""


@pytest.fixture
def fleet(fresh_postgres_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, fresh_postgres_url)
    try:
        yield fleet
    finally:
        fleet.abandon()


class Pulse:
    """Triggers short runs at an even rate, whatever becomes of the servers.

    Attributes:
        acknowledged: run ids.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.acknowledged: list[str] = []
        self._client = fleet.client()
        self._asking: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    async def work(self) -> None:
        began, asked = time.monotonic(), 0
        while not self._stop.is_set():
            due = int((time.monotonic() - began) * RATE) - asked
            for size in [100] * (due // 100) + [due % 100]:
                task = asyncio.create_task(self._ask(size))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            asked += due
            await asyncio.sleep(0.1)
        await asyncio.gather(*self._asking)
        await self._client.close()

    def stop(self) -> None:
        self._stop.set()

    async def _ask(self, size: int) -> None:
        request = calls.Trigger([TriggerRequest("quick", '{"pause":0}')] * size)
        try:
            answer = await self._client.call(request)
        except MainspringError:
            return  # not acknowledged, so nothing is promised
        assert isinstance(answer, calls.Triggered)
        self.acknowledged += [one.run_id for one in answer.answers]


async def all_have_ended(database: str, acknowledged: list[str]) -> None:
    """Wait for it, and see that all were completed."""
    store = store_at(locate(database))
    await store.open()
    try:
        left = sorted(acknowledged)
        while left:
            page, left = left[:1_000], left[1_000:]
            ends = await store.live.known(shard_of(page[0]), page)
            assert set(ends) == set(page)
            assert set(ends.values()) <= {"", "completed"}
            waiting = [run_id for run_id, end in ends.items() if not end]
            left += waiting
            await asyncio.sleep(0.2 if waiting else 0)
    finally:
        await store.close()


async def begun_after(fleet: Fleet, died_at: float) -> float:
    """Seconds from then until a run that is triggered now has begun."""
    client, history = fleet.client(), fleet.history.open("rb")
    with history:
        history.seek(0, os.SEEK_END)
        while True:
            try:
                made = await client.call(calls.Trigger([TriggerRequest("quick", '{"pause":0}')]))
                break
            except MainspringError:
                continue
        assert isinstance(made, calls.Triggered)
        run_id, told = made.answers[0].run_id.encode(), b""
        while run_id not in (told := told[-200:] + history.read()):  # noqa: ASYNC110 - in a file
            await asyncio.sleep(0.02)
        found = time.monotonic() - died_at
    await client.close()
    return found


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
        pid = fleet.members[owner].pid
        await asyncio.to_thread(fleet.kill_member, owner)
        waits.append(await begun_after(fleet, fleet.deaths[pid] / 1e9))
        fleet.start_member()
    return waits


def begun_again(fleet: Fleet) -> list[float]:
    """Seconds from the death of a worker to when each run that it executed has begun elsewhere."""
    found, cut = [], dict[str, int]()
    deaths = set(fleet.deaths.values())
    for life in sorted(lives(fleet.told(), fleet.deaths), key=lambda life: life.begun):
        if life.run in cut:
            found.append((life.begun - cut.pop(life.run)) / 1e9)
        if life.over in deaths:
            cut[life.run] = life.over
    return found


def spread(times: list[float]) -> str:
    times = sorted(times)
    return f"median {times[len(times) // 2]:.1f} s, worst {times[-1]:.1f} s" if times else "-"


def show(waits: list[float], again: list[float], runs: int, seconds: float) -> None:
    print(  # noqa: T201 - with -s it is the table of ./dev chaos
        f"\n{KILLS} x an owner and {KILLS} x a worker killed within {seconds:.0f} s: {runs} runs "
        f"acknowledged ({runs / seconds:.0f}/s), 0 lost; new work began after an owner's death: "
        f"n = {len(waits)}, {spread(waits)}; runs of dead workers began again: "
        f"n = {len(again)}, {spread(again)}"
    )


async def test_owners_and_workers_are_killed_and_nothing_is_lost(fleet: Fleet) -> None:
    chance = random.Random(11)
    for _ in range(3):
        fleet.start_member()
    async with fleet.balanced(chance):
        for _ in range(4):
            fleet.start_worker(processes=1)
        await registered(fleet)
        load, pulse, began = Load(fleet, chance), Pulse(fleet), time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(load.trigger())
            group.create_task(load.watch())
            group.create_task(pulse.work())
            waits = await kill_in_turn(fleet, chance)
            seconds = time.monotonic() - began
            pulse.stop()
            ends = await load.wait_for_all()
        await all_have_ended(fleet.database, pulse.acknowledged)
        await fleet.stop()
    again = begun_again(fleet)
    show(waits, again, len(ends) + len(pulse.acknowledged), seconds)
    assert {run.status for run in ends.values()} == {Status.COMPLETED}
    check_history(fleet, ends)
    await check_rows(fleet.database, set(ends))
    assert max(waits) < STARTED_S, waits
    assert max(again, default=0.0) < RESTARTED_S, again
