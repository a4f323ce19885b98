"""HTTP on one connection: uvicorn's own, with bounds on how long and how large headers may be."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_S: Final = 10.0
"""The first header of a connection, and all headers of a request, must have arrived by then."""
HEADER_BYTES: Final = 64 * 1024
"""Bytes that are read while headers are awaited; the application's own bound is lower."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\n"
    b"connection: close\r\n\r\n"
)


class BoundedHttp(HttpToolsProtocol):
    """Closes connections that send no headers, too slowly or without end."""

    _awaited = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEADER_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
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

    def _done(self) -> None:
        self._awaited = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
