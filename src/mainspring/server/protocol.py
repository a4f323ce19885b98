"""HTTP on one connection: uvicorn's own, with bounds on headers and on callers who do not read."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mainspring.server.sending import Sending

HEADER_S: Final = 10.0
"""The first header of a connection, and all headers of a request, must have arrived by then."""
STALLED_S: Final = 30.0
"""A caller who takes nothing of what waits for it for so long is cut off."""
DROP: Final = "mainspring.drop"
"""In a request's scope: drops its connection, after what was written, without the end of the
answer. The caller then knows that more was to come."""
HEADER_BYTES: Final = 64 * 1024
"""Bytes that are read while headers are awaited; the application's own bound is lower."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\n"
    b"connection: close\r\n\r\n"
)


class BoundedHttp(HttpToolsProtocol):
    """Closes connections that send no headers, too slowly or without end, or take no answer."""

    _awaited = 0
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _plain: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._plain = transport
        self.transport = Sending(transport, self.loop)  # type: ignore[assignment]
        self._timer = self.loop.call_later(HEADER_S, transport.close)

    def handle_websocket_upgrade(self) -> None:
        self.transport = self._plain
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED_S, self._plain.abort)

    def resume_writing(self) -> None:
        self._flows()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        self._flows()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[DROP] = self.transport.close  # type: ignore[typeddict-unknown-key]
        if self._timer is None:
            self._timer = self.loop.call_later(HEADER_S, self.transport.close)

    def on_headers_complete(self) -> None:
        self._done()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._timer is None:
            return
        self._awaited += len(data)
        if self._awaited > HEADER_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _flows(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _done(self) -> None:
        self._awaited = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
