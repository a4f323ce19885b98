"""What is watched of a shard that another server owns: its feed, repeated here, and its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring.engine.engine import Engine
from mainspring.engine.feed import Digest, Feed, Topic
from mainspring.engine.shown import hide
from mainspring.errors import StoreUnavailable
from mainspring.model.run import Run
from mainspring.server.peers import frames
from mainspring.server.peers.frames import Message
from mainspring.server.peers.peer import Peer
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.calls import LogEntry

BEGIN_S: Final = 5.0
_decode: Final = msgspec.msgpack.Decoder(tuple[Digest | None, list[Topic], int]).decode


class Mirror:
    """Repeats the feed of a shard, from `start` until the owner or the connection to it is gone."""

    def __init__(self, peer: Peer, env: EnvironmentRow) -> None:
        self.peer = peer
        self.feed = Feed(begun=False)
        self.is_over = False
        self.since = asyncio.get_running_loop().time()
        self._env = env
        self._id = 0
        self._moved = asyncio.Event()

    async def start(self) -> None:
        """Begin; returns once the number of the last commit is known. Raises: StoreUnavailable."""
        self._id = await self.peer.open(frames.TAP, self._env, b"", self._take)
        try:
            async with asyncio.timeout(BEGIN_S):
                await self.feed.is_begun.wait()
        except TimeoutError:
            self.stop()
        if self.is_over:
            raise StoreUnavailable("The owner of the environment does not answer; repeat shortly.")

    async def reached(self, change: int) -> None:
        """Until that commit has been told of. Raises: StoreUnavailable when it never will be."""
        while change > self.feed.last:
            if self.is_over:
                raise StoreUnavailable("The environment has another owner now; repeat shortly.")
            self._moved.clear()
            await self._moved.wait()

    def stop(self) -> None:
        """Hear no more. Safe to call twice."""
        if not self.is_over:
            self.is_over = True
            self.peer.end(self._id)
            self.peer.say(frames.CLOSE, self._id)
            self.feed.is_begun.set()
            self.feed.close()
            self._moved.set()

    def _take(self, message: Message | None) -> None:
        if message is None or message.kind != frames.PART:
            self.stop()
            return
        digest, topics, last = _decode(message.meta)
        if digest is not None:
            self.feed.take(digest)
        elif topics:
            self.feed.publish(*(tuple(topic) for topic in topics))
        else:
            self.feed.go_on(last)
        self._moved.set()


class MirrorShow:
    """Reads for subscribers of an environment that another server owns; see `engine.show`."""

    def __init__(self, engine: Engine, mirror: Mirror, env: EnvironmentRow) -> None:
        self._engine = engine
        self._mirror = mirror
        self._env = env

    @property
    def last(self) -> int:
        """The number of the newest commit that this server was told of."""
        return self._mirror.feed.last

    async def runs(self, run_ids: Sequence[str]) -> list[Run]:
        """These runs as they are stored. Everything that their numbers stand for has been told."""
        asked = [run_id for run_id in run_ids if run_id.isascii() and "\0" not in run_id]
        rows = self._engine.store.runs
        found = await rows.many(self._env.shard_id, asked) if asked else []
        found = [run for run in found if run.env_id == self._env.env_id]
        await self._mirror.reached(max((run.change for run in found), default=0))
        redaction = await self._engine.variables.redaction(self._env)
        return [hide(redaction, run) for run in found] if redaction else found

    async def latest(self, tags: Sequence[str], batch_id: str | None, limit: int) -> list[str]:
        """Ids of the newest runs with all tags, or of a batch, or of all; newest first."""
        env = self._env
        rows = self._engine.store.runs
        return await rows.latest(env.shard_id, env.env_id, tags, batch_id, limit)

    async def lines(
        self, run_id: str, after: int, limit: int, *, whole: bool = False
    ) -> list[LogEntry]:
        """Log lines of a run after the number `after`, in order. `whole` = what the owner has got
        up to now is stored first.
        """
        if whole:
            await self._mirror.peer.ask(frames.FLUSH, self._env)
        rows = self._engine.store.runs
        found = await rows.logs(self._env.shard_id, run_id, after, limit)
        redaction = await self._engine.variables.redaction(self._env)
        return [hide(redaction, line) for line in found] if redaction else found
