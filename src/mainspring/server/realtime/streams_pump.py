"""Each stream that somebody reads is read once, and what comes is encoded once for all its readers.

A reader holds a number and nothing else. What the last events do not hold any more, because the
reader is slow or begins far back, it reads from the engine by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from msgspec import Struct

from mainspring.errors import MainspringError
from mainspring.server.port import EnginePort
from mainspring.server.realtime.streams_sse import event
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.calls import ReadStream, StreamPage

KEPT: Final = 1024 * 1024
"""Bytes of events that are kept for readers that are a little behind."""
CHUNKS: Final = 500
"""Chunks of one event at most."""
WAIT_MS: Final = 60_000


class Place(Struct, frozen=True):
    """A stream, or an input stream, of a run."""

    env: EnvironmentRow
    run_id: str
    stream: str
    input: bool

    def ask(self, first: int, timeout_ms: int = 0, limit: int = CHUNKS) -> ReadStream:
        return ReadStream(self.run_id, self.stream, first, limit, timeout_ms, self.input)


class Event(Struct, frozen=True):
    """The chunks from `first` up to, but without, `after`."""

    first: int
    after: int
    data: bytes


class Pump:
    """Reads one stream from a number on, as long as it has readers.

    Attributes:
        head: the number of the chunk that comes next.
        over: nothing more comes: `ended`, or the engine answers no more.
        ended: the run has ended, and everything was read.
    """

    def __init__(self, engine: EnginePort, place: Place, first: int) -> None:
        self.head = first
        self.over = False
        self.ended = False
        self._engine = engine
        self._place = place
        self._events: deque[Event] = deque()
        self._size = 0
        self._readers: set[Callable[[], None]] = set()
        self._task = asyncio.create_task(self._run(), name="stream pump")

    def join(self, wake: Callable[[], None]) -> None:
        """Call this when something has come or it is over."""
        self._readers.add(wake)

    def leave(self, wake: Callable[[], None]) -> bool:
        """Call it no more; whether nobody is left."""
        self._readers.discard(wake)
        return not self._readers

    def stop(self) -> None:
        """End, and let the readers know."""
        self._task.cancel()
        self._end()

    async def next(self, number: int) -> Event | None:
        """The event that goes on at that number; None when there is none now.

        Raises: MainspringError, those of the engine.
        """
        if number >= self.head:
            return None
        for kept in reversed(self._events):
            if kept.first == number:
                return kept
            if kept.first < number:
                break
        limit = min(CHUNKS, self.head - number)  # so that it meets the kept ones
        page = await self._page(self._place.ask(number, limit=limit))
        return Event(number, page.next, event(page.chunks)) if page.chunks else None

    async def _run(self) -> None:
        # its readers come again, to whoever owns the run then
        with contextlib.suppress(MainspringError):
            while not self.over:
                page = await self._page(self._place.ask(self.head, WAIT_MS))
                if page.chunks:
                    self._keep(Event(self.head, page.next, event(page.chunks)))
                self.ended = self.over = page.ended
        self._end()

    def _keep(self, made: Event) -> None:
        self._events.append(made)
        self._size += len(made.data)
        while self._size > KEPT and len(self._events) > 1:
            self._size -= len(self._events.popleft().data)
        self.head = made.after
        self._wake()

    def _end(self) -> None:
        self.over = True
        self._wake()

    def _wake(self) -> None:
        for wake in list(self._readers):
            wake()

    async def _page(self, request: ReadStream) -> StreamPage:
        page = await self._engine.answer(self._place.env, request)
        assert isinstance(page, StreamPage)
        return page


class Pumps:
    """The pumps of one server."""

    def __init__(self, engine: EnginePort, stopping: asyncio.Event) -> None:
        self._engine = engine
        self._stopping = stopping
        self._pumps: dict[tuple[int, str, str, bool], Pump] = {}
        self._stop: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, engine: EnginePort, stopping: asyncio.Event) -> Pumps:
        """Those of the server that this event stops."""
        found = _known.get(stopping)
        if found is None:
            found = _known[stopping] = cls(engine, stopping)
        return found

    def join(self, place: Place, first: int, wake: Callable[[], None]) -> Pump:
        """The pump of a stream, for a reader that wants chunks from `first` on."""
        key = (place.env.env_id, place.run_id, place.stream, place.input)
        pump = self._pumps.get(key)
        if pump is None or pump.over:
            pump = self._pumps[key] = Pump(self._engine, place, first)
        pump.join(wake)
        if self._stop is None:
            self._stop = asyncio.create_task(self._stop_with(), name="stream stop")
        return pump

    def leave(self, place: Place, pump: Pump, wake: Callable[[], None]) -> None:
        """A reader has gone."""
        if pump.leave(wake):
            pump.stop()
            key = (place.env.env_id, place.run_id, place.stream, place.input)
            if self._pumps.get(key) is pump:
                del self._pumps[key]
        if not self._pumps and self._stop is not None:
            self._stop.cancel()
            self._stop = None

    async def _stop_with(self) -> None:
        await self._stopping.wait()
        for pump in list(self._pumps.values()):
            pump.stop()


_known: Final[WeakKeyDictionary[asyncio.Event, Pumps]] = WeakKeyDictionary()
