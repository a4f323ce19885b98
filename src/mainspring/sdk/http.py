"""The transport over HTTP for programs that live long, with a pool of connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from weakref import WeakKeyDictionary

import httpx2

from mainspring.sdk.exchange import Answer, Exchange, Unreached

POOL: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
"""Without a bound: each subscriber, and whoever awaits a result, holds a connection for long."""
_Connection = AsyncIterator[httpx2.AsyncClient]


class HttpTransport(Exchange):
    """Sends requests to a server's call route. Usable from any number of event loops."""

    def __init__(self, url: str, key: str, **how: Any) -> None:
        super().__init__(url, key, **how)
        self._clients: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, _Connection]
        ] = WeakKeyDictionary()

    async def send(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float, connect: float
    ) -> Answer:
        client = await self._client()
        limits = httpx2.Timeout(timeout, connect=connect)
        try:
            got = await client.post(path, content=body, headers=headers, timeout=limits)
        except httpx2.TransportError as error:
            raise Unreached(str(error) or type(error).__name__) from error
        return Answer(got.status_code, got.headers, got.content)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        clients, self._clients = self._clients, WeakKeyDictionary()
        here = asyncio.get_running_loop()
        for loop, (client, _) in clients.items():
            if loop is here:
                await client.aclose()

    async def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        known = self._clients.get(loop)
        if known is not None:
            return known[0]
        connection = self._connection()
        client = await anext(connection)
        self._clients[loop] = client, connection
        return client

    async def _connection(self) -> _Connection:
        # a generator, because `asyncio.run` closes those of its loop before it ends the loop: the
        # connections of a short program are closed though nobody closes the transport
        # loading certificates takes 50 ms, and without TLS there are none to check
        secure = self.url.startswith("https:")
        client = httpx2.AsyncClient(
            base_url=self.url, headers=self.headers, verify=secure, limits=POOL
        )
        try:
            yield client
        finally:
            await client.aclose()
