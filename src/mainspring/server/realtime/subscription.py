"""One subscription of a socket: where it stands, what comes next, how far that was acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from msgspec import Raw

from mainspring.server.realtime import row as rows
from mainspring.server.watch.lines import PAGE, Lines
from mainspring.server.watch.reader import Reader
from mainspring.server.watch.rows import Snapshot
from mainspring.wire import realtime as said

WINDOW: Final = 16
"""Messages that may be on their way."""
ROWS: Final = 100
"""Runs of one message."""


class Subscription(Protocol):
    """What a socket sends for one topic."""

    id: str
    reader: Reader
    flow: Flow
    gathering: bool
    quiet_until: float

    @property
    def offset(self) -> str:
        """Where it stands."""
        ...

    async def next(self) -> said.FromServer | None:
        """The next message; None when there is nothing now. Raises: StoreUnavailable."""
        ...


class Flow:
    """Which messages are on their way, and since when."""

    def __init__(self) -> None:
        self._sent: deque[tuple[str, float]] = deque()

    def sent(self, offset: str) -> None:
        self._sent.append((offset, asyncio.get_running_loop().time()))

    def acknowledge(self, offset: str) -> None:
        """That message and all before it have arrived; one that is not on its way says nothing."""
        if any(offset == sent for sent, _ in self._sent):
            while self._sent.popleft()[0] != offset:
                pass

    @property
    def is_full(self) -> bool:
        return len(self._sent) >= WINDOW

    def is_late(self, seconds: float) -> bool:
        """Whether nothing has been acknowledged for so long although it is full."""
        return self.is_full and asyncio.get_running_loop().time() - self._sent[0][1] >= seconds


class RunFeed:
    """Rows of a run or a list, the newest state of each."""

    def __init__(self, id_: str, reader: Reader, offset: str) -> None:
        self.id = id_
        self.reader = reader
        self.flow = Flow()
        self.gathering = False
        self.quiet_until = 0.0
        self._change = int(offset) if offset else -1
        self._left: deque[Snapshot] = deque()
        self._until = self._change
        self._over = False

    @property
    def offset(self) -> str:
        return str(max(self._change, 0))

    async def next(self) -> said.FromServer | None:
        if not self._left:
            if self._over:
                return said.Ended(self.id, self.offset, "finished")
            found = await self.reader.since(self._change)
            self._left.extend(found.rows)
            self._until = found.change
            if not found.rows:
                self._change = max(self._change, found.change)
                return await self._ended()
        part = [self._left.popleft() for _ in range(min(ROWS, len(self._left)))]
        if not self._left:
            self._change = self._until
        else:  # what comes next may be of the same commit as the last: it is not over yet
            last = self._left[0].run.change
            self._change = max([self._change, *(_below(part, last))])
        alone = bool(self.reader.subject.run_id)
        self._over = alone and part[-1].run.status.is_final
        encode = rows.data if alone else rows.brief
        return said.Runs(self.id, self.offset, [Raw(encode(row)) for row in part])

    async def _ended(self) -> said.Ended | None:
        """Nothing has changed; nothing will, if it is one run that has ended."""
        row = await self.reader.one() if self.reader.subject.run_id else None
        if row is None or not row.run.status.is_final or row.run.change > self._change:
            return None
        return said.Ended(self.id, self.offset, "finished")


class LineFeed:
    """The log lines of a run, each once."""

    def __init__(self, id_: str, reader: Reader, lines: Lines, offset: str) -> None:
        self.id = id_
        self.reader = reader
        self.flow = Flow()
        self.gathering = False
        self.quiet_until = 0.0
        self._lines = lines
        self._line = int(offset) if offset else 0
        self._over = False

    @property
    def offset(self) -> str:
        return str(self._line)

    async def next(self) -> said.FromServer | None:
        if self._over:
            return said.Ended(self.id, self.offset, "finished")
        self.reader.watch.rung = False
        row = await self.reader.one()
        final = row is None or row.run.status.is_final
        run_id = self.reader.subject.run_id
        page = await self._lines.get(run_id, self._line, whole=final)
        self._over = final and len(page) < PAGE
        if not page:
            return said.Ended(self.id, self.offset, "finished") if final else None
        self._line = page[-1].seq
        return said.Lines(self.id, self.offset, [Raw(line.data) for line in page])


def _below(part: list[Snapshot], change: int) -> list[int]:
    return [row.run.change for row in part if row.run.change < change]
