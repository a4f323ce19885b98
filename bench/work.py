"""A worker inside the benchmark's process, on the same event loop as the engine; what it drains."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import AsyncIterator

from bench.place import Platform
from mainspring.clock import SystemClock
from mainspring.sdk import transport
from mainspring.sdk.registry import registry
from mainspring.worker.link import InProcessLink
from mainspring.worker.session import Session

SLOTS = 1000

_numbers = itertools.count(1)


@contextlib.asynccontextmanager
async def worker(place: Platform, slots: int) -> AsyncIterator[Session]:
    """A session with that many slots; the SDK of this process speaks to its engine meanwhile."""
    session = Session(
        f"bench-{next(_numbers)}",
        registry,
        slots,
        SystemClock(),
        answer=lambda *asked: place.engine.answer(place.env, *asked),
    )
    link = InProcessLink(
        lambda hello, deliver: place.engine.connect(place.env, hello, deliver, inside=True),
        session.hello,
    )
    await session.start(link)
    token = transport.active.set(session.transport)
    try:
        yield session
    finally:
        transport.active.reset(token)
        await link.close()
        place.engine.lost(place.env, session.id)


async def drain(place: Platform, count: int) -> float:
    """Seconds from the start of a worker until `count` more runs have ended, durably."""
    owner = place.engine.owners[place.env.shard_id]
    goal = owner.ended + count
    begin = time.perf_counter()
    async with worker(place, SLOTS):
        while owner.ended < goal:
            await owner.turn_over()
        return time.perf_counter() - begin
