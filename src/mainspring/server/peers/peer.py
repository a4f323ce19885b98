"""Another server, as this one speaks to it: one held connection with many conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mainspring.errors import StoreUnavailable
from mainspring.server.peers.frames import CANCEL, FAULT, Message, Wire, dial, error_of

Take = Callable[[Message | None], None]
"""Takes each message of a conversation; None when the connection is lost."""


class PeerLost(StoreUnavailable):
    """The connection broke; whether the other server did what it was asked to is unknown."""


class Peer:
    """Dials when it is needed, and again after the connection was lost."""

    def __init__(self, address: str, secret: bytes) -> None:
        self.address = address
        self._secret = secret
        self._wire: Wire | None = None
        self._dialling = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._taking: dict[int, Take] = {}
        self._last = 0

    async def open(self, kind: int, meta: Any, body: bytes, take: Take) -> int:
        """Begin a conversation; its number. Raises: StoreUnavailable, and nothing was sent."""
        wire = self._wire or await self._connected()
        self._last += 1
        self._taking[self._last] = take
        wire.send(kind, self._last, meta, body)
        return self._last

    def say(self, kind: int, id_: int, meta: Any = None, body: bytes = b"") -> None:
        """Say something in a conversation; into the void when the connection is lost."""
        if self._wire is not None:
            self._wire.send(kind, id_, meta, body)

    def end(self, id_: int) -> None:
        """Hear no more of a conversation."""
        self._taking.pop(id_, None)

    async def drained(self) -> None:
        """Wait while too much waits to be sent."""
        if self._wire is not None:
            await self._wire.drained()

    async def ask(self, kind: int, meta: Any, body: bytes = b"") -> Message:
        """The one answer to a message.

        Raises: what the other server raised, PeerLost, StoreUnavailable when nothing was sent.
        """
        answer: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()

        def take(message: Message | None) -> None:
            if not answer.done():
                answer.set_result(message)

        id_ = await self.open(kind, meta, body, take)
        try:
            message = await answer
        except asyncio.CancelledError:
            self.say(CANCEL, id_)
            raise
        finally:
            self.end(id_)
        if message is None:
            raise PeerLost(f"The connection to the server at {self.address} broke.")
        if message.kind == FAULT:
            raise error_of(message)
        return message

    def drop(self) -> None:
        """Give the connection up: who waits for an answer hears of it."""
        if self._wire is not None:
            self._wire.close()

    async def close(self) -> None:
        """Give it up, and wait for its end."""
        self.drop()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _connected(self) -> Wire:
        async with self._dialling:
            if self._wire is None:
                self._wire = await dial(self.address, self._secret)
                self._reading = asyncio.create_task(self._read(self._wire), name="peer reader")
            return self._wire

    async def _read(self, wire: Wire) -> None:
        try:
            while (message := await wire.receive()) is not None:
                take = self._taking.get(message.id)
                if take is not None:
                    take(message)
        finally:
            wire.close()
            self._wire = None
            taking, self._taking = self._taking, {}
            for take in taking.values():
                take(None)
