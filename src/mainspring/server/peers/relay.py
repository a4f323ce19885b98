"""A worker session that another server owns: bytes passed on, and an end when the owner changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mainspring.errors import StoreUnavailable
from mainspring.server.peers import frames
from mainspring.server.peers.frames import Message
from mainspring.server.peers.peer import Peer
from mainspring.store.protocol import EnvironmentRow

PAUSE_S: Final = 0.02
SEEK_S: Final = 8.0
"""How long an owner is sought while a worker waits; its lease is 15 s."""
QUEUED: Final = 64 * 1024 * 1024

Owner = Callable[[EnvironmentRow, float], Awaitable[Peer | None]]


class Relay:
    """One connection of a session. The worker keeps the session when it ends, and connects again.

    When the owner is lost, the worker's connection is held until there is another one: frames that
    arrive meanwhile go nowhere, and the worker, who got no acknowledgement, sends them again.
    """

    def __init__(self, owner: Owner, env: EnvironmentRow) -> None:
        self._owner = owner
        self._env = env
        self._peer: Peer | None = None
        self._id = 0
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._size = 0

    async def open(self, hello: bytes) -> bool:
        """Find the owner and let it hear the hello; False when it is this server.

        Raises: StoreUnavailable when none is found in time.
        """
        until = self._now() + SEEK_S
        while True:
            peer = await self._owner(self._env, until - self._now())
            if peer is None:
                return False
            try:
                self._id = await peer.open(frames.OPEN, self._env, hello, self._take)
            except StoreUnavailable:  # it is gone, and soon there is another one
                if self._now() >= until:
                    raise
                await asyncio.sleep(PAUSE_S)
            else:
                self._peer = peer
                return True

    async def send(self, data: bytes) -> None:
        """Pass on what the worker says."""
        assert self._peer is not None
        self._peer.say(frames.FRAME, self._id, None, data)
        try:
            await self._peer.drained()
        except OSError:
            return  # the end of the conversation says the same

    async def receive(self) -> bytes | None:
        """The next message for the worker; None when it is to connect again."""
        data = await self._parts.get()
        if data is None:
            try:
                await self._owner(self._env, SEEK_S)
            except StoreUnavailable:
                return None  # it asks again by itself
            return None
        self._size -= len(data)
        return data

    def close(self) -> None:
        """The worker's connection is gone."""
        if self._peer is not None:
            self._peer.say(frames.CLOSE, self._id)
            self._peer.end(self._id)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _take(self, message: Message | None) -> None:
        if message is None or message.kind != frames.PART:
            self._parts.put_nowait(None)
            return
        self._size += len(message.body)
        self._parts.put_nowait(message.body if self._size <= QUEUED else None)
