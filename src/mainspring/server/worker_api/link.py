"""The WebSocket of a worker session: hello first, then frames one way and orders the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from mainspring.errors import CallerError, MainspringError
from mainspring.server.port import EnginePort, RelayPort, SessionPort
from mainspring.server.worker_api.outbox import Outbox, messages
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.errors import should_retry
from mainspring.wire.worker import PROTOCOL, Goodbye, Hello, decode_frame, decode_hello, encoder

HELLO_S: Final = 10.0
END_S: Final = 2.0
NORMAL, GOING_AWAY, BAD_DATA = 1000, 1001, 1007

log = logging.getLogger("mainspring.server")


async def serve_link(
    socket: WebSocket, env: EnvironmentRow, engine: EnginePort, stopping: asyncio.Event
) -> None:
    """One connection from its acceptance to its end. The session outlives it."""
    await socket.accept()
    link = _Link(socket)
    session: SessionPort | None = None
    try:
        async with asyncio.timeout(HELLO_S):
            data = await link.receive()
        hello = _hello(data)
        relay = engine.relay(env)
        if relay is not None and await relay.open(data):
            await link.relay(relay, stopping)
        else:
            session = engine.connect(env, hello, link.outbox.put)
            await link.run(session, stopping)
    except TimeoutError:
        await link.end(Goodbye("no hello arrived", retry=True), BAD_DATA)
    except MainspringError as error:
        await link.end(Goodbye(error.message, retry=should_retry(error)), NORMAL)
    except WebSocketDisconnect as error:
        log.debug("the link of a worker closed with %s", error.code)
    finally:
        if session is not None:
            session.close()


def _hello(data: bytes) -> Hello:
    try:
        hello = decode_hello(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallerError(
            f"The worker's first message is no hello: {error}. Run the same release on both sides."
        ) from error
    if hello.protocol != PROTOCOL:
        raise CallerError(
            f"The worker speaks protocol {hello.protocol}, this server {PROTOCOL}. Run the same "
            "release on both sides."
        )
    return hello


class _Link:
    """Reading, writing and the end of one connection."""

    def __init__(self, socket: WebSocket) -> None:
        self.outbox = Outbox()
        self._socket = socket

    async def receive(self) -> bytes:
        """The next binary message. Raises: WebSocketDisconnect, CallerError for text."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        data = message.get("bytes")
        if data is None:
            raise CallerError("The worker sent text where binary messages are spoken.")
        return bytes(data)

    async def run(self, session: SessionPort, stopping: asyncio.Event) -> None:
        """Until one side is done. Raises: what ended it."""
        await self._until_one_ends(self._read(session), self._write(), stopping)

    async def relay(self, relay: RelayPort, stopping: asyncio.Event) -> None:
        """Until one side is done, or the session has another owner. Raises: what ended it."""
        try:
            await self._until_one_ends(self._pass_on(relay), self._bring(relay), stopping)
        finally:
            relay.close()

    async def _until_one_ends(
        self,
        reading: Coroutine[Any, Any, None],
        writing: Coroutine[Any, Any, None],
        stopping: asyncio.Event,
    ) -> None:
        reader = asyncio.create_task(reading, name="link reader")
        writer = asyncio.create_task(writing, name="link writer")
        stop = asyncio.create_task(stopping.wait(), name="link stop")
        overflow = asyncio.create_task(self.outbox.overflow.wait(), name="link overflow")
        ends = (reader, writer, stop, overflow)
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        if self.outbox.overflow.is_set():
            log.warning("a worker does not read what it is sent; its connection is given up")
            return
        for end in (reader, writer):
            if not end.cancelled():
                end.result()
        if stop.done() and not stop.cancelled():
            await self.end(Goodbye("this server stops", retry=True), GOING_AWAY)

    async def end(self, goodbye: Goodbye, code: int) -> None:
        """Say why, and close; a worker that does not read hears it from the closed connection."""
        try:
            async with asyncio.timeout(END_S):
                await self._socket.send_bytes(encoder.encode([goodbye]))
                await self._socket.close(code)
        except (WebSocketDisconnect, RuntimeError, TimeoutError) as error:
            log.debug("a worker was gone before its goodbye: %s", error)

    async def _read(self, session: SessionPort) -> None:
        while True:
            data = await self.receive()
            try:
                frame = decode_frame(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise CallerError(f"A frame of the worker cannot be read: {error}.") from error
            session.receive(frame)

    async def _pass_on(self, relay: RelayPort) -> None:
        while True:
            await relay.send(await self.receive())

    async def _bring(self, relay: RelayPort) -> None:
        while (data := await relay.receive()) is not None:
            await self._socket.send_bytes(data)
        await self.end(Goodbye("another server has this environment now", retry=True), NORMAL)

    async def _write(self) -> None:
        while True:
            orders = await self.outbox.take()
            for data in messages(orders):
                await self._socket.send_bytes(data)
            if orders and isinstance(orders[-1], Goodbye):
                await self._socket.close(NORMAL)
                return
