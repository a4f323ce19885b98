"""Waiting for three things at once without a task for each: a change, the caller, the time."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Receive

from mainspring.server.port import WatchPort

_ENDS: Final = ("http.disconnect", "websocket.disconnect")


async def rest(receive: Receive, watch: WatchPort, seconds: float) -> bool:
    """Until the watch has rung or closed, or the time is over. False: the caller has gone.

    The caller is looked for in any case, so that one who has gone is noticed however often it
    rings.
    """
    try:
        async with asyncio.timeout(seconds) as alarm:
            watch.on_ring = lambda: _go_off(alarm)
            if watch.rung or watch.closed:
                _go_off(alarm)
            while (await receive())["type"] not in _ENDS:
                pass
            return False
    except TimeoutError:
        return True
    finally:
        watch.on_ring = None


def _go_off(alarm: asyncio.Timeout) -> None:
    if not alarm.expired():
        alarm.reschedule(0)
