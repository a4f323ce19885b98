"""What the code of a run writes to one stream, gathered on its way to the server. No sending here.

The first chunk goes at once. As long as a batch is on its way the next ones are gathered, for a few
milliseconds at most; so a batch is as large as the server is slow.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

GATHER_S: Final = 0.01
BATCH: Final = 32 * 1024
"""Characters that go at once."""
AHEAD: Final = 256 * 1024
"""Characters on their way beyond which the writer has to wait."""

Say = Callable[[int, list[str]], asyncio.Future[None] | None]
"""Sends chunks with the place of the first one; answered once they are durable."""


class Outlet:
    """Gathers chunks, on the event loop."""

    __slots__ = ("_ahead", "_loop", "_on_way", "_say", "_sent", "_size", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, say: Say) -> None:
        self._loop = loop
        self._say = say
        self._waiting: list[str] = []
        self._size = 0
        self._sent = 0
        self._ahead = 0
        self._on_way: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, chunk: str) -> asyncio.Future[None] | None:
        """Take a chunk; what is answered is to be awaited before the next one."""
        self._waiting.append(chunk)
        self._size += len(chunk)
        if not self._on_way or self._size >= BATCH:
            self.pour()
        elif self._timer is None:
            self._timer = self._loop.call_later(GATHER_S, self.pour)
        return asyncio.shield(self._on_way[0]) if self._ahead > AHEAD and self._on_way else None

    def pour(self) -> None:
        """Send what has been gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        chunks, size = self._waiting, self._size
        self._waiting, self._size = [], 0
        first, self._sent = self._sent, self._sent + len(chunks)
        durable = self._say(first, chunks)
        if durable is not None:
            self._ahead += size
            self._on_way.append(durable)
            durable.add_done_callback(lambda done: self._durable(done, size))

    def _durable(self, done: asyncio.Future[None], size: int) -> None:
        self._ahead -= size
        self._on_way.remove(done)
        if not done.cancelled() and done.exception() is None:
            self.pour()
