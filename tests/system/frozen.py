"""An owner that stands still is replaced, and writes nothing when it goes on.

`./dev chaos` alone runs it: each time takes as long as it takes to find out that an owner is lost.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.model.run import Status
from tests.system.fleet import Fleet
from tests.system.test_crash import Load, check_history, check_rows
from tests.system.watching import registered

FREEZES = 10
REPLACED_S = 10.0
"""So soon there is certainly another owner: 3.5 s without a beat, and up to 2 s to end the session
of one that holds the shard in the middle of a commit. The rest is for a machine that is busy.
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + 60 * FREEZES)]


@pytest.fixture
def fleet(fresh_postgres_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, fresh_postgres_url)
    try:
        yield fleet
    finally:
        fleet.abandon()


async def owner_of(fleet: Fleet, other_than: int | None = None) -> int:
    """The port of the server that owns the shard, once it is another one."""
    while (owner := await fleet.owner()) in (None, other_than):  # noqa: ASYNC110 - in the database
        await asyncio.sleep(0.1)
    assert owner is not None
    return owner


async def test_an_owner_that_stood_still_writes_nothing_when_it_goes_on(fleet: Fleet) -> None:
    chance = random.Random(3)
    for _ in range(2):
        fleet.start_member()
    async with fleet.balanced(chance):
        fleet.start_worker(processes=1)
        await registered(fleet)
        load, replaced = Load(fleet, chance), list[float]()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.trigger())
            group.create_task(load.watch())
            for _ in range(FREEZES):
                frozen = await owner_of(fleet)
                fleet.members[frozen].send_signal(signal.SIGSTOP)
                at = time.monotonic()
                await owner_of(fleet, other_than=frozen)
                replaced.append(time.monotonic() - at)
                known = len(load.acknowledged)
                while len(load.acknowledged) == known:  # noqa: ASYNC110 - by the new owner
                    await asyncio.sleep(0.05)
                fleet.members[frozen].send_signal(signal.SIGCONT)
                await asyncio.sleep(chance.uniform(0.1, 1.0))
            ends = await load.wait_for_all()
        await fleet.stop()
    assert {run.status for run in ends.values()} == {Status.COMPLETED}
    check_history(fleet, ends)
    await check_rows(fleet.database, set(ends))
    replaced.sort()
    print(  # noqa: T201 - with -s it is the table of ./dev chaos
        f"\n{FREEZES} x an owner stopped and continued: {len(ends)} runs acknowledged, 0 lost; "
        f"another owner after: median {replaced[len(replaced) // 2]:.1f} s, worst "
        f"{replaced[-1]:.1f} s"
    )
    assert replaced[-1] < REPLACED_S, replaced
