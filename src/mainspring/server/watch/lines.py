"""Log lines for everybody who watches a run: read and encoded once for those at the same place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from mainspring.errors import MainspringError
from mainspring.server.port import ShowPort
from mainspring.wire.calls import LogEntry
from mainspring.wire.moments import iso

PAGE: Final = 500
"""Lines of one page; a full one may have another behind it."""
_json: Final = msgspec.json.Encoder().encode


class Line(NamedTuple):
    """A line's number in its run, and the line as JSON."""

    seq: int
    data: bytes


class Lines:
    """Reads the log lines of one environment's runs."""

    def __init__(self, show: Callable[[], ShowPort]) -> None:
        self._show = show
        self._next: dict[tuple[str, int, bool], asyncio.Task[list[Line]]] = {}

    async def get(self, run_id: str, after: int, *, whole: bool = False) -> list[Line]:
        """At most `PAGE` lines after that number; `whole` = with those that were not stored yet.

        Raises: StoreUnavailable.
        """
        key = (run_id, after, whole)
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._read(*key), name="realtime lines")
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    async def _read(self, run_id: str, after: int, whole: bool) -> list[Line]:
        await asyncio.sleep(0)  # whoever the same lines have woken asks now
        del self._next[run_id, after, whole]
        found = await self._show().lines(run_id, after, PAGE, whole=whole)
        return [Line(line.seq, _encoded(line)) for line in found]


def _encoded(line: LogEntry) -> bytes:
    shown = {"seq": line.seq, "time": iso(line.at), "level": line.level, "message": line.message}
    data = {"data": msgspec.Raw(line.data.encode())} if line.data else {}
    return _json(shown | data)


def _retrieve(task: asyncio.Task[list[Line]]) -> None:
    """Read the error of lines that nobody waits for any more, so that nobody reports it."""
    if not task.cancelled() and isinstance(task.exception(), MainspringError):
        return
