"""A proxy between client and server that drops a connection at the byte a test names."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass
class Cut:
    """Where the next connection ends: after so many bytes of the request, or of the answer.

    `silent`: the connection stays open then, but nothing more gets through.
    """

    request: int | None = None
    answer: int | None = None
    silent: bool = False


class Proxy:
    """Forwards connections to a port of this machine.

    Attributes:
        cut: what happens to the next connection; used up by it.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.cut: Cut | None = None
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut, self.cut = self.cut or Cut(), None
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._open |= {writer, back}
        ways = [
            asyncio.create_task(self._forward(reader, back, cut.request)),
            asyncio.create_task(self._forward(there, writer, cut.answer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if cut.silent:
            await asyncio.wait(ways, timeout=5)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (writer, back):
            self._open.discard(end)
            end.transport.abort()

    async def _forward(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, most: int | None
    ) -> None:
        passed = 0
        while most is None or passed < most:
            data = await source.read(65536)
            if not data:
                return
            data = data if most is None else data[: most - passed]
            passed += len(data)
            to.write(data)
            with contextlib.suppress(ConnectionError):
                await to.drain()
        if most == 0:
            await source.read(1)  # it was sent, and is not let through

    def drop(self) -> None:
        """End all connections now."""
        for writer in list(self._open):
            writer.transport.abort()


@contextlib.asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """A proxy to that port, on a port of its own."""
    running = Proxy(target)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        running.drop()
        await asyncio.sleep(0)
