"""All servers of a database as one engine: answers what is owned here, and asks the owner of the
rest, over held connections, until it or its successor answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from mainspring.engine.engine import Engine
from mainspring.engine.feed import Topic
from mainspring.errors import Elsewhere, MainspringError, StoreUnavailable
from mainspring.ids import Bits, IdSource
from mainspring.server.peers import frames
from mainspring.server.peers.frames import Message
from mainspring.server.peers.mirror import Mirror, MirrorShow
from mainspring.server.peers.peer import Peer, PeerLost
from mainspring.server.peers.relay import Relay
from mainspring.server.peers.repeat import is_repeatable
from mainspring.server.port import Deliver, SessionPort, ShowPort, WatchPort
from mainspring.store.access import Access
from mainspring.store.objects import Objects
from mainspring.store.protocol import EnvironmentRow
from mainspring.telemetry.metrics import Sample
from mainspring.wire import calls
from mainspring.wire.variables import Given
from mainspring.wire.worker import Hello

PATIENCE_S: Final = 25.0
"""How long an owner is sought; a takeover takes 6 s, and clients wait for 30."""
BEAT_S: Final = 3.0
"""How long a worker's sign of life waits; the worker repeats it."""
PAUSE_S: Final = 0.02
"""Between two looks for an owner."""
IDLE_S: Final = 30.0
"""How long a feed is repeated that nobody watches."""

log = logging.getLogger("mainspring.server")
_encode: Final = msgspec.msgpack.Encoder().encode
_decoders: Final[dict[type, msgspec.msgpack.Decoder[Any]]] = {
    request: msgspec.msgpack.Decoder(response) for request, response in calls.RESPONSES.items()
}
_known: Final = msgspec.msgpack.Decoder(bool).decode


class Cluster:
    """The engine of this server, and those of the others behind it."""

    def __init__(self, engine: Engine, secret: bytes, bits: Bits) -> None:
        self._engine = engine
        self._shares = engine.shares
        self._secret = secret
        self._ids = IdSource(bits)
        self._peers: dict[str, Peer] = {}
        self._mirrors: dict[int, Mirror] = {}
        self._looked = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._shares.on_look = self._look_at
        self._shares.tell = self._tell
        engine.variables.on_change = self._forget

    @property
    def ready(self) -> bool:
        """Whether this server can answer, by itself or by another one."""
        return self._shares.renewed

    @property
    def access(self) -> Access:
        """Keys, people, and the audit log."""
        return self._engine.access

    @property
    def objects(self) -> Objects:
        """Where uploads lie."""
        return self._engine.objects

    async def close(self) -> None:
        """Speak to no other server any more."""
        for mirror in self._mirrors.values():
            mirror.stop()
        await asyncio.gather(*self._telling, return_exceptions=True)
        for peer in self._peers.values():
            await peer.close()

    async def answer(
        self, env: EnvironmentRow, request: calls.Request, run_id: str | None = None
    ) -> calls.Response:
        """Answer a request, wherever its environment is owned.

        Raises: as the engine; StoreUnavailable when no owner was found in time, or when it is
        unknown what became of a request that cannot be repeated.
        """
        if self._shares.owns(env.shard_id):
            try:
                return await self._engine.answer(env, request, run_id)
            except Elsewhere:
                log.debug("shard %s has just been given away", env.shard_id)
        return await self._ask(env, request, run_id)

    def connect(self, env: EnvironmentRow, hello: Hello, deliver: Deliver) -> SessionPort:
        """Take a session of an environment in that is owned here. Raises: Elsewhere, Conflict."""
        return self._engine.connect(env, hello, deliver)

    def relay(self, env: EnvironmentRow) -> Relay | None:
        """What takes the sessions of an environment that another server owns."""
        return None if self._shares.owns(env.shard_id) else Relay(self.owner, env)

    async def owner(self, env: EnvironmentRow, seconds: float = PATIENCE_S) -> Peer | None:
        """The server that owns an environment, None when it is this one; waits until one does.

        Raises: StoreUnavailable.
        """
        until = self._now() + seconds
        while not self._shares.owns(env.shard_id):
            peer = self._peer(env)
            if peer is not None:
                return peer
            await self._look_again(until)
        return None

    def beat(self, env: EnvironmentRow, session_id: str) -> bool | Awaitable[bool]:
        """A sign of life; False = the session is unknown or over. Raises: StoreUnavailable."""
        if self._shares.owns(env.shard_id):
            return self._engine.beat(env, session_id)
        return self._beat(env, session_id, frames.BEAT)

    def lost(self, env: EnvironmentRow, session_id: str, how: str = "") -> Awaitable[bool] | None:
        """The session's process is dead."""
        if self._shares.owns(env.shard_id):
            self._engine.lost(env, session_id, how)
            return None
        return self._beat(env, session_id, frames.LOST, how)

    async def follow(self, env: EnvironmentRow) -> None:
        """Have at hand what is watched of an environment. Raises: StoreUnavailable."""
        if self._shares.owns(env.shard_id) or self._mirror(env) is not None:
            return
        peer = await self.owner(env)
        if peer is None or self._mirror(env) is not None:
            return
        mirror = self._mirrors[env.shard_id] = Mirror(peer, env)
        self._engine.variables.forget()
        await mirror.start()

    def watch(self, env: EnvironmentRow, *topics: Topic) -> WatchPort:
        """Be woken when something of these topics has changed; after `follow`.

        Raises: StoreUnavailable.
        """
        mirror = None if self._shares.owns(env.shard_id) else self._mirror(env)
        return self._engine.watch(env, *topics) if mirror is None else mirror.feed.watch(*topics)

    def show(self, env: EnvironmentRow) -> ShowPort:
        """What those who watch runs read of them; after `follow`. Raises: StoreUnavailable."""
        mirror = None if self._shares.owns(env.shard_id) else self._mirror(env)
        return self._engine.show(env) if mirror is None else MirrorShow(self._engine, mirror, env)

    async def given(self, env: EnvironmentRow) -> Given:
        """The variables of a worker. Raises: ConfigurationError, StoreUnavailable."""
        return await self._engine.given(env)

    def figures(self, env: EnvironmentRow) -> list[Sample]:
        """Figures of this server; those of queues from the one that owns the environment."""
        return self._engine.figures(env)

    async def _ask(
        self, env: EnvironmentRow, request: calls.Request, run_id: str | None
    ) -> calls.Response:
        repeatable = is_repeatable(request, self._ids, self._engine.clock.now(), env.shard_id)
        patience = request.timeout_ms / 1000 if isinstance(request, calls.Patient) else 0.0
        began = self._now()
        until = began + patience + PATIENCE_S
        while True:
            if isinstance(request, calls.Patient):
                left = max(began + patience - self._now(), 0.0)
                request = msgspec.structs.replace(request, timeout_ms=int(left * 1000))
            try:
                peer = await self.owner(env, until - self._now())
                if peer is None:
                    return await self._engine.answer(env, request, run_id)
                async with asyncio.timeout(until - self._now()):
                    message = await peer.ask(frames.CALL, (env, run_id), _encode(request))
                answer: calls.Response = _decoders[type(request)].decode(message.body)
                return answer
            except PeerLost:
                if not repeatable:
                    raise
            except TimeoutError as error:
                raise StoreUnavailable(
                    "The owner of the environment did not answer in time; it is unknown what "
                    "became of the request. Repeat it."
                ) from error
            except StoreUnavailable as error:
                if not isinstance(error, Elsewhere) and not repeatable:
                    raise
                if self._now() >= until:
                    raise
            await self._look_again(until)

    async def _beat(self, env: EnvironmentRow, session_id: str, kind: int, how: str = "") -> bool:
        peer = await self.owner(env, BEAT_S)
        if peer is None:
            if kind == frames.BEAT:
                return await self._engine.beat(env, session_id)
            self._engine.lost(env, session_id, how)
            return True
        try:
            async with asyncio.timeout(BEAT_S):
                message = await peer.ask(kind, (env, session_id), how.encode())
        except TimeoutError as error:
            raise StoreUnavailable("The owner of the session does not answer; repeat.") from error
        return _known(message.meta)

    def _peer(self, env: EnvironmentRow) -> Peer | None:
        members = self._shares.members
        address = members.address_of(env.shard_id)
        if not address or members.is_mine(env.shard_id):
            return None
        found = self._peers.get(address)
        if found is None:
            found = self._peers[address] = Peer(address, self._secret)
        return found

    def _mirror(self, env: EnvironmentRow) -> Mirror | None:
        mirror = self._mirrors.get(env.shard_id)
        if mirror is not None and mirror.is_over:
            del self._mirrors[env.shard_id]
            return None
        return mirror

    async def _look_again(self, until: float) -> None:
        """Wait a little, and see who owns what then. Raises: StoreUnavailable when time is up."""
        if self._now() >= until:
            raise StoreUnavailable(
                "No server owns the environment now; it is unknown what became of the request. "
                "Repeat it."
            )
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="peer look")
        self._looked.clear()
        await self._looked.wait()

    async def _look(self) -> None:
        """One look for all who wait."""
        await asyncio.sleep(PAUSE_S)
        try:
            await self._shares.look()
        except MainspringError as error:
            log.debug("%s", error.message)
        self._looked.set()

    def _look_at(self) -> None:
        """It is known anew who owns what: give up those who own nothing, being lost."""
        living = self._shares.members.living_addresses
        for address in [one for one in self._peers if one not in living]:
            self._peers.pop(address).drop()
        for shard_id, mirror in list(self._mirrors.items()):
            idle = not mirror.feed.is_watched and self._now() - mirror.since > IDLE_S
            if mirror.is_over or idle or self._shares.owns(shard_id):
                mirror.stop()
                del self._mirrors[shard_id]
            else:
                mirror.feed.sweep(self._engine.clock.monotonic())
        self._looked.set()

    def _tell(self, server_id: str) -> None:
        self._say(self._shares.members.address(server_id), frames.LOOK)

    def _forget(self) -> None:
        """Variables were changed here: the others forget what they know of them."""
        for server_id in self._shares.members.others:
            self._say(self._shares.members.address(server_id), frames.FORGET)

    def _say(self, address: str, kind: int) -> None:
        if not address:
            return
        peer = self._peers.get(address)
        if peer is None:
            peer = self._peers[address] = Peer(address, self._secret)
        task = asyncio.create_task(_said(peer, kind), name="peer word")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


async def _said(peer: Peer, kind: int) -> None:
    """Say one word that needs no answer; a server that cannot be reached looks by itself."""
    heard: Callable[[Message | None], None] = lambda message: None  # noqa: E731 - nothing is heard
    try:
        peer.end(await peer.open(kind, None, b"", heard))
    except MainspringError as error:
        log.debug("%s", error.message)
