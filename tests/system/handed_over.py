"""A server is stopped in good order while others are asked: how long they wait for the next owner.

`./dev chaos` alone runs it: it is about times.
"""

from __future__ import annotations

import asyncio
import os
import random
import time

import pytest

from mainspring.model.run import TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from tests.system.fleet import Fleet
from tests.system.frozen import fleet, owner_of
from tests.system.test_crash import check_rows
from tests.system.test_servers import all_have_ended
from tests.system.watching import registered

__all__ = ["fleet"]
STOPS = int(os.environ.get("MAINSPRING_STOPS", "10"))
WAITED_S = 0.2
"""The longest call over a hand-over, on a machine that has no other work."""
CALLERS = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + 30 * STOPS)]


class Caller:
    """Triggers one run after the other at a server that stays.

    Attributes:
        took: of each call, its end on the monotonic clock and its seconds.
    """

    def __init__(self, fleet: Fleet, port: int) -> None:
        self.took: list[tuple[float, float]] = []
        self.acknowledged: list[str] = []
        self._client = HttpTransport(f"http://127.0.0.1:{port}", fleet.key)
        self._stop = False

    async def work(self) -> None:
        request = calls.Trigger([TriggerRequest("quick", '{"pause":0}')])
        while not self._stop:
            began = time.monotonic()
            made = await self._client.call(request)
            assert isinstance(made, calls.Triggered)
            self.took.append((time.monotonic(), time.monotonic() - began))
            self.acknowledged.append(made.answers[0].run_id)
            await asyncio.sleep(0.005)
        await self._client.close()

    def stop(self) -> None:
        self._stop = True


async def test_calls_wait_shortly_while_an_environment_is_handed_over(fleet: Fleet) -> None:
    waits, usual, acknowledged = list[float](), list[float](), list[str]()
    for _ in range(2):
        fleet.start_member()
    async with fleet.balanced(random.Random(7)):
        fleet.start_worker(processes=1)
        await registered(fleet)
        for _ in range(STOPS):
            callers, stopped_at = await stop_owner(fleet)
            took = [one for caller in callers for one in caller.took]
            waits.append(max(seconds for end, seconds in took if end > stopped_at))
            usual += [seconds for end, seconds in took if end < stopped_at]
            acknowledged += [run_id for caller in callers for run_id in caller.acknowledged]
        await all_have_ended(fleet.database, acknowledged)
        await fleet.stop()
    await check_rows(fleet.database, set(acknowledged))
    waits, usual = sorted(waits), sorted(usual)
    print(  # noqa: T201 - with -s it is the table of ./dev chaos
        f"\n{STOPS} x a server stopped: {len(acknowledged)} runs acknowledged, 0 lost; the "
        f"longest call over it: median {waits[len(waits) // 2] * 1000:.0f} ms, worst "
        f"{waits[-1] * 1000:.0f} ms; a call at other times: median "
        f"{usual[len(usual) // 2] * 1000:.0f} ms, worst {usual[-1] * 1000:.0f} ms"
    )
    assert waits[-1] < WAITED_S, waits


async def stop_owner(fleet: Fleet) -> tuple[list[Caller], float]:
    """Stop the owner while the other server is asked, and start another one; when it was told."""
    owner = await owner_of(fleet)
    (other,) = set(fleet.members) - {owner}
    await answers(fleet, other)
    callers = [Caller(fleet, other) for _ in range(CALLERS)]
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(caller.work())
        await asyncio.sleep(1.0)
        stopped, at = fleet.members.pop(owner), time.monotonic()
        stopped.terminate()
        await owner_of(fleet, other_than=owner)
        await asyncio.sleep(0.5)
        for caller in callers:
            caller.stop()
    await asyncio.to_thread(stopped.wait, 60)
    fleet.start_member()
    return callers, at


async def answers(fleet: Fleet, port: int) -> None:
    """Until a server takes triggers."""
    client = HttpTransport(f"http://127.0.0.1:{port}", fleet.key, attempts=100, timeout=20.0)
    await client.call(calls.Trigger([TriggerRequest("quick", '{"pause":0}')]))
    await client.close()
