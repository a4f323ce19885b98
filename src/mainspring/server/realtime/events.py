"""One run as server-sent events: its changes and its log lines on one connection, in order.

Each event has an id, `<change>-<line>`: how far the run and its log have been told. Who comes back
with the last one (`Last-Event-ID`) is told what came after it.
"""

from __future__ import annotations

import random
import re
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mainspring.errors import CallerError, NotFound
from mainspring.server.api import runs
from mainspring.server.exchange import Exchange
from mainspring.server.realtime import row as rows
from mainspring.server.realtime.shapes import resources
from mainspring.server.routes import Route
from mainspring.server.watch.lines import PAGE, Line, Lines
from mainspring.server.watch.reader import Reader
from mainspring.server.watch.rest import rest
from mainspring.server.watch.rows import Snapshot
from mainspring.server.watch.subject import Subject
from mainspring.wire.run_types import RunEvents

EVENTS: Final = "text/event-stream"
RETRY_MS: Final = 1_000
PING: Final = b": ping\n\n"
_ID: Final = re.compile(r"(\d{1,19})-(\d{1,18})")
_LOGS: Final = 1
"""The place of the topic of log lines in a watch."""
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


async def events(exchange: Exchange) -> Response:
    """`GET /api/v1/runs/{run}/events`: the lines so far, or everything as it comes."""
    (run_id,) = exchange.parameters
    place = _place(exchange)
    subject = Subject(exchange.env.env_id, run_id=run_id)
    hub = exchange.realtime
    reader = hub.reader(exchange.env, subject, ("logs", run_id))
    try:
        found = await reader.one()
        if found is None:
            raise NotFound(f"No run {run_id[:80]!r} in this environment.")
        exchange.allow("read", *resources(found.run))
        if EVENTS not in (exchange.header("accept") or ""):
            return await runs.events(exchange)
        lines = hub.lines(exchange.env)
        if found.run.status.is_final and found.run.change <= place[0]:
            told = not await lines.get(run_id, place[1], whole=True)
            if told:
                hub.leave(reader.watch)
                return Response(status_code=204)  # so that a browser does not come again
    except BaseException:
        hub.leave(reader.watch)
        raise
    return Events(exchange, reader, lines, found, place)


def _place(exchange: Exchange) -> tuple[int, int]:
    text = exchange.header("last-event-id") or ""
    found = _ID.fullmatch(text)
    if found is None and text:
        raise CallerError(f"Last-Event-ID is {text[:60]!r}; send the id of an event, or none.")
    return (int(found[1]), int(found[2])) if found is not None else (-1, 0)


class Events(Response):
    """The stream: a cursor, and no task of its own."""

    def __init__(
        self,
        exchange: Exchange,
        reader: Reader,
        lines: Lines,
        row: Snapshot,
        place: tuple[int, int],
    ) -> None:
        self.status_code = 200
        self.background = None
        self._hub = exchange.realtime
        self._reader = reader
        self._lines = lines
        self._row = row
        self._change, self._line = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _write(send, b"retry: %d\n\n" % RETRY_MS)
            await self._run(receive, send)
        finally:
            self._hub.leave(self._reader.watch)

    async def _run(self, receive: Receive, send: Send) -> None:
        watch, seen = self._reader.watch, -1
        while not watch.closed:
            rings = watch.rings(_LOGS)
            found = await self._reader.since(self._change)
            if found.rows:
                self._row = found.rows[-1]
            final = self._row.run.status.is_final
            if not final:
                await self._tell_row(found.change, send)
            if final or rings != seen:
                await self._tell_lines(send, whole=final)
                seen = rings
            if final:  # after every line that it wrote
                await self._tell_row(found.change, send)
                await _write(send, self._event(b"end", b"{}"), more=False)
                return
            if not await rest(receive, watch, self._hub.ping_s):
                return
            if not watch.rung:
                await _write(send, PING)
        # this server stops, or another one owns the run: not all at once, please
        retry = b"retry: %d\n\n" % random.randint(RETRY_MS // 2, 3 * RETRY_MS)
        await _write(send, retry, more=False)

    async def _tell_row(self, change: int, send: Send) -> None:
        row = self._row
        if row.run.change > self._change:
            self._change = max(change, row.run.change)
            await _write(send, self._event(b"run", rows.data(row)))

    async def _tell_lines(self, send: Send, *, whole: bool) -> None:
        page: list[Line] = []
        while not page or len(page) == PAGE:
            page = await self._lines.get(self._reader.subject.run_id, self._line, whole=whole)
            if not page:
                return
            parts = []
            for line in page:
                self._line = line.seq
                parts.append(self._event(b"log", line.data))
            await _write(send, b"".join(parts))

    def _event(self, name: bytes, data: bytes) -> bytes:
        place = (max(self._change, 0), self._line)
        return b"id: %d-%d\nevent: %b\ndata: %b\n\n" % (*place, name, data)


async def _write(send: Send, data: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


ROUTES: Final = (
    Route("GET", "/api/v1/runs/{run}/events", events, public=True, lasts=True, gives=RunEvents),
)
