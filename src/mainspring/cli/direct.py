"""The transport of commands in event loops and over TLS: httpx2 takes longer to load than the rest.

Through a proxy goes httpx2, which knows them all, and so does TLS where the system keeps
certificates in other places than files.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mainspring.sdk.exchange import Answer, Exchange, Unreached


def transport_to(url: str, key: str, **how: Any) -> Exchange:
    """A transport to the server at `url`; `how` as `Exchange` takes it."""
    if is_plain(url):
        return DirectTransport(url, key, **how)
    found: Exchange = importlib.import_module("mainspring.sdk.http").HttpTransport(url, key, **how)
    return found


def is_plain(url: str) -> bool:
    """Whether a plain connection leads there."""
    parts = urlsplit(url)
    proxied = getproxies().keys() - {"no"} and not proxy_bypass(parts.hostname or "")
    return not proxied and (parts.scheme == "http" or sys.platform == "linux")


class DirectTransport(Exchange):
    """Sends each request in a thread, over connections that are kept for the next ones."""

    def __init__(self, url: str, key: str, **how: Any) -> None:
        super().__init__(url, key, **how)
        self._server = urlsplit(self.url)
        self._idle: list[HTTPConnection] = []

    async def send(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float, connect: float
    ) -> Answer:
        kept = bool(self._idle)
        connection = self._idle.pop() if kept else self._connection()
        asked = self._server.path + path, body, self.headers | headers
        try:
            answer = await asyncio.to_thread(_exchanged, connection, *asked, timeout, connect)
        except asyncio.CancelledError:
            _interrupt(connection)
            raise
        except (OSError, HTTPException) as error:
            connection.close()
            if kept and isinstance(error, ConnectionError | HTTPException):
                return await self.send(path, body, headers, timeout, connect)  # it was closed
            raise Unreached(str(error) or type(error).__name__) from error
        self._idle.append(connection)
        return answer

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> HTTPConnection:
        make = HTTPSConnection if self._server.scheme == "https" else HTTPConnection
        return make(self._server.hostname or "", self._server.port)


def _exchanged(
    connection: HTTPConnection,
    path: str,
    body: bytes,
    headers: dict[str, str],
    timeout: float,
    connect: float,
) -> Answer:
    if connection.sock is None:
        connection.timeout = connect
        connection.connect()
    connection.sock.settimeout(timeout)
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read())


def _interrupt(connection: HTTPConnection) -> None:
    """End what the thread waits for, so that the program need not."""
    if connection.sock is not None:
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has ended by itself
            connection.close()
