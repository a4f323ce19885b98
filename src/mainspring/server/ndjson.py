"""A body of lines, read as it comes: never more of it in memory than a line. No JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct

from mainspring.errors import CallerError
from mainspring.server.exchange import BODY_S, Exchange

LINE_S: Final = 120.0
"""From the first byte of a line to its end at most; between lines there may be silence."""
HEAD: Final = 512
"""Bytes that are kept of a line that is too long."""
TYPES: Final = ("application/x-ndjson", "application/ndjson")


class Line(Struct):
    """A line that is not blank, counted from 1. Of one longer than the limit (`size` tells) only
    the beginning is there.
    """

    number: int
    data: bytes
    size: int

    @property
    def is_cut(self) -> bool:
        return self.size > len(self.data)


async def lines(exchange: Exchange, limit: int) -> AsyncIterator[Line]:
    """The lines of a body, up to `limit` bytes each.

    Raises: CallerError when the body ends early, nothing of it comes for 30 s, or a line drips for
    two minutes.
    """
    made, loop = _Lines(limit), asyncio.get_running_loop()
    since = loop.time()
    async for part in _parts(exchange):
        found = made.add(part)
        if found or not made.is_begun:
            since = loop.time()
        elif loop.time() - since > LINE_S:
            raise CallerError(f"Line {made.number} did not end within {LINE_S:.0f} s.")
        for line in found:
            yield line
    for line in made.add(b"\n"):
        yield line


async def _parts(exchange: Exchange) -> AsyncIterator[bytes]:
    more = True
    while more:
        try:
            async with asyncio.timeout(BODY_S):
                message = await exchange.receive()
        except TimeoutError as error:
            raise CallerError(f"Nothing of the body came for {BODY_S:.0f} s.") from error
        if message["type"] == "http.disconnect":
            raise CallerError("The connection ended before the body did.")
        more = message.get("more_body", False)
        yield message.get("body", b"")


class _Lines:
    """Puts parts together and cuts them at line ends."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._number = 0
        self._open = bytearray()
        self._size = 0

    @property
    def is_begun(self) -> bool:
        """Whether a line has begun and not ended."""
        return self._size > 0

    @property
    def number(self) -> int:
        """The number of the line that comes next or has begun."""
        return self._number + 1

    def add(self, part: bytes) -> list[Line]:
        """The lines that this part completes."""
        first, *rest = part.split(b"\n")
        self._keep(first)
        found: list[Line] = []
        for following in rest:
            line = self._take()
            if line is not None:
                found.append(line)
            self._keep(following)
        return found

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._open += data
        elif self._open:
            del self._open[HEAD:]
        else:
            self._open += data[:HEAD]

    def _take(self) -> Line | None:
        data, size = bytes(self._open).strip(), self._size
        self._open, self._size = bytearray(), 0
        self._number += 1
        if not data:
            return None
        return Line(self._number, data, max(size, len(data)) if size > self._limit else len(data))
