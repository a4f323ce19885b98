"""What a process writes to its stdout or stderr, read as text. Lines are `capture`'s business."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import Callable
from typing import Final

_PIECE: Final = 64 * 1024
_KEPT: Final = 16 * 1024


class Output:
    """Reads one pipe, and calls `said(level, text)` for what comes.

    Attributes:
        last: the end of all that came, for an error's text.
        closed: whether it is not read any more.
    """

    def __init__(self, fd: int, level: str, said: Callable[[str, str], None]) -> None:
        self.last = ""
        self.closed = False
        self._fd = fd
        self._level = level
        self._said = said
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._loop = asyncio.get_running_loop()
        self._listening = False

    def start(self) -> None:
        """Read whenever something comes."""
        self._listening = True
        self._loop.add_reader(self._fd, self._once)

    def read(self) -> None:
        """Read what is there now."""
        while not self.closed and self._once():
            pass

    def close(self) -> None:
        """Read what is left, and no more."""
        self.read()
        if not self.closed:
            self.closed = True
            self._deaf()
            os.close(self._fd)

    def _once(self) -> bool:
        """Read a piece; False when there is none."""
        try:
            data = os.read(self._fd, _PIECE)
        except BlockingIOError:
            return False
        if not data:
            self._deaf()
            return False
        text = self._decoder.decode(data)
        self.last = (self.last + text)[-_KEPT:]
        self._said(self._level, text)
        return True

    def _deaf(self) -> None:
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._fd)
