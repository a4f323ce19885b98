"""One reader of a stream, as an ASGI response that lasts until its stream or its reader ends."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mainspring.errors import MainspringError
from mainspring.server.protocol import DROP
from mainspring.server.realtime.streams_pump import Place, Pump, Pumps
from mainspring.server.realtime.streams_sse import HEADERS, PING

PING_S: Final = 10.0


class StreamReader(Response):
    """Sends what comes from `first` on, until the run has ended and everything is sent.

    With `idle_s` it also ends when nothing has come for so long. When this server cannot go on, the
    connection is dropped in the middle, so that the reader comes again; an orderly end would tell
    it that this was all.
    """

    def __init__(self, pumps: Pumps, place: Place, first: int, idle_s: float | None) -> None:
        super().__init__()
        self._pumps = pumps
        self._place = place
        self._number = first
        self._idle_s = idle_s
        self._bell = asyncio.Event()
        self._gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS]})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body"})
            return
        leaving = asyncio.create_task(self._left(receive), name="stream reader's end")
        pump = self._pumps.join(self._place, self._number, self._bell.set)
        try:
            await _write(send, PING)  # headers alone may wait for what comes after them
            complete = await self._send_all(pump, send)
            if complete:
                await send({"type": "http.response.body"})
            elif not self._gone and DROP in scope:
                scope[DROP]()
                await leaving
        finally:
            self._pumps.leave(self._place, pump, self._bell.set)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)

    async def _send_all(self, pump: Pump, send: Send) -> bool:
        """Whether the reader may be told that this was all."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while not self._gone:
            self._bell.clear()
            over = pump.over
            try:
                event = await pump.next(self._number)
            except MainspringError:
                return False
            if event is not None:
                await _write(send, event.data)
                self._number, since = event.after, loop.time()
                continue
            if over:
                return pump.ended
            left = PING_S
            if self._idle_s is not None:
                left = min(left, since + self._idle_s - loop.time())
            if left <= 0:
                return True
            try:
                async with asyncio.timeout(left):
                    await self._bell.wait()
            except TimeoutError:
                if self._idle_s is None or loop.time() < since + self._idle_s:
                    await _write(send, PING)
        return False

    async def _left(self, receive: Receive) -> None:
        """Until the reader has gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._bell.set()


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
