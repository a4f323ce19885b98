"""Event loops for the parts of commands that need one: several things at a time, TLS, proxies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mainspring.cli.direct import transport_to
from mainspring.sdk.exchange import Answer, Exchange
from mainspring.sdk.settings import ClientSettings

T = TypeVar("T")
Reach = Callable[..., Exchange]


def run(settings: ClientSettings, work: Callable[[Exchange, Reach], Awaitable[T]]) -> T:
    """Do that in an event loop, over connections of its own."""

    async def conversation() -> T:
        key = settings.key or ""
        transport = transport_to(settings.url, key, environment=settings.environment)
        try:
            return await work(transport, transport_to)
        finally:
            await transport.close()

    return asyncio.run(conversation())


class LoopedTransport(Exchange):
    """Each request has an event loop of its own, so that nobody else needs one."""

    def __init__(self, url: str, key: str, **how: Any) -> None:
        super().__init__(url, key, **how)
        self._inner = transport_to(url, key, **how)

    async def send(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float, connect: float
    ) -> Answer:
        return asyncio.run(self._inner.send(path, body, headers, timeout, connect))

    async def pause(self, seconds: float) -> None:
        asyncio.run(self._inner.pause(seconds))

    async def close(self) -> None:
        asyncio.run(self._inner.close())
