"""The engine as the rooms above see it: assembles owners, doors and loops. No rules here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mainspring.clock import Clock
from mainspring.engine import deadlock, inbox
from mainspring.engine.answer import answer
from mainspring.engine.connect import Connection, Door
from mainspring.engine.owner import Owner
from mainspring.engine.session import Deliver
from mainspring.engine.state import State
from mainspring.errors import MainspringError, StoreUnavailable
from mainspring.ids import Bits
from mainspring.store.objects import Objects
from mainspring.store.protocol import EnvironmentRow, Store
from mainspring.wire import calls
from mainspring.wire.worker import Hello

TICK_S = 0.25
BEAT_S = 1.0
LOST_S = 5.0
"""How long a server that does not renew its ownership may act as an owner."""
LOST_TICKS = 20
"""Ticks without a beat after which another server counts as lost: the same 5 s, seen from there."""

log = logging.getLogger("mainspring.engine")


class Engine:
    """Owns the shards of a database and answers for them, from `start` to `stop`.

    While another server owns the database this one stands by: `ready` is False, every request is
    refused with StoreUnavailable, and it takes over 5 s after the other's last beat.
    """

    def __init__(
        self,
        store: Store,
        objects: Objects,
        clock: Clock,
        bits: Bits,
        server_id: str,
        address: str = "",
    ) -> None:
        self.store = store
        self.objects = objects
        self.clock = clock
        self.owners: dict[int, Owner] = {}
        self.doors: dict[int, Door] = {}
        self.on_ready: Callable[[], None] = lambda: None
        self._bits = bits
        self._server_id = server_id
        self._address = address
        self._loop: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._owning = asyncio.Lock()
        self._renewed_at = 0.0
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether this server owns the database's shards and takes requests."""
        return self._ready

    async def start(self, *, loops: bool = True) -> None:
        """Take the shards, or stand by for them. The store must be open.

        Without `loops` nothing happens by time; the caller calls `tick` (simulation, tests).
        Raises: StoreUnavailable.
        """
        await self.store.shards.register(self._server_id, self._address)
        if not await self._owned_elsewhere():
            await self._take()
        if loops:
            self._loop = asyncio.create_task(self._run(), name="engine")

    async def stop(self) -> None:
        """End after the turns under way and give the shards up. Safe to call twice."""
        self._ready = False
        self._stop.set()
        if self._loop is not None:
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None
        for door in self.doors.values():
            await door.flush_logs()
        for owner in self.owners.values():
            await owner.stop()
        if self.owners:
            self.owners.clear()
            await self.store.shards.leave(self._server_id)

    async def answer(
        self,
        env: EnvironmentRow,
        request: calls.Request,
        run_id: str | None = None,
        epoch: int = 0,
    ) -> calls.Response:
        """Answer a request of an environment; see `engine.answer`."""
        owner = self._owner(env)
        if isinstance(request, calls.ListLogs):
            # who has seen a run end also sees everything it wrote before
            await self.doors[env.shard_id].flush_logs()
        return await answer(owner, env, request, run_id, epoch)

    def connect(
        self, env: EnvironmentRow, hello: Hello, deliver: Deliver, *, inside: bool = False
    ) -> Connection:
        """Let a worker session in. Raises: StoreUnavailable while standing by, Conflict."""
        self._owner(env)
        return self.doors[env.shard_id].connect(env, hello, deliver, inside=inside)

    def beat(self, env: EnvironmentRow, session_id: str) -> bool:
        """Renew a session's lease; False = unknown, it has to begin anew.

        Raises: StoreUnavailable while this server is not sure to be the owner itself.
        """
        self._owner(env)
        if self.clock.monotonic() - self._renewed_at > LOST_S:
            raise StoreUnavailable("This server is not sure to own the database; repeat shortly.")
        return self.doors[env.shard_id].beat(session_id)

    def lost(self, env: EnvironmentRow, session_id: str) -> None:
        """A session's process is dead for certain."""
        self._owner(env)
        self.doors[env.shard_id].lost(session_id)

    async def environment_of_key(self, key_hash: str) -> EnvironmentRow | None:
        """Whose secret key has that hash."""
        return await self.store.catalog.environment_of_key(key_hash)

    async def keys_of_shard(self, shard_id: int) -> list[tuple[str, EnvironmentRow]]:
        """The hashes of the secret keys of a shard's environments."""
        return await self.store.catalog.keys_of_shard(shard_id)

    async def environment(self, slug: str) -> EnvironmentRow:
        """The environment with that slug, made when missing."""
        env = await self.store.catalog.ensure_environment(slug)
        async with self._owning:
            if self._ready and env.shard_id not in self.owners:
                await self._own(env.shard_id)
        owner = self.owners.get(env.shard_id)
        if owner is not None and env.env_id not in owner.state.environments:
            owner.state.set_environment(env)
        return env

    async def tick(self) -> None:
        """What happens by time, once: leases, inbox, log lines, and timers that are due."""
        if self.clock.monotonic() - self._renewed_at >= BEAT_S:
            await self._renew()
        for shard_id, owner in self.owners.items():
            door = self.doors[shard_id]
            door.reap()
            await door.flush_logs()
            await inbox.drain(owner)
            await deadlock.look(owner)
            owner.ring_if_due()

    async def idle(self) -> None:
        """Wait until nothing is left to do at this moment of the clock (simulation, tests)."""
        for shard_id, owner in list(self.owners.items()):
            await owner.idle()
            await self.doors[shard_id].idle()
            await owner.idle()

    def _owner(self, env: EnvironmentRow) -> Owner:
        owner = self.owners.get(env.shard_id)
        if owner is None or not self._ready:
            raise StoreUnavailable("This server does not own the database now; repeat shortly.")
        return owner

    async def _take(self) -> None:
        shards = {env.shard_id for env in await self.store.catalog.environments()}
        for shard_id in sorted(shards):
            await self._own(shard_id)
        self._renewed_at = self.clock.monotonic()
        self._ready = True
        self.on_ready()

    async def _own(self, shard_id: int) -> None:
        state = State(shard_id, self.clock, self._bits)
        catalog = self.store.catalog
        for env in await catalog.environments():
            if env.shard_id != shard_id:
                continue
            state.set_environment(env)
            for queue in await catalog.queues(env.env_id):
                state.set_queue(queue)
            for spec, version in await catalog.tasks(env.env_id):
                state.set_task(env.env_id, spec, version)
        owner = Owner(state, self.store, self.objects, self._server_id, self._deposed)
        door = Door(owner, self.answer)
        owner.rebuilt = door.ask_all
        await owner.start()
        self.owners[shard_id] = owner
        self.doors[shard_id] = door

    def _deposed(self) -> None:
        """Another server has taken a shard: give everything up and stand by."""
        self._ready = False

    async def _renew(self) -> None:
        """Say that this server lives, and see that it still owns what it believes to own."""
        started = self.clock.monotonic()
        await self.store.shards.beat(self._server_id)
        for shard_id, owner, _ in await self.store.shards.owners():
            if shard_id in self.owners and owner != self._server_id:
                self._deposed()
                return
        if started - self._renewed_at > LOST_S:  # beats were refused meanwhile
            for door in self.doors.values():
                door.renew()
        self._renewed_at = started

    async def _owned_elsewhere(self) -> bool:
        """Whether a server that is not this one owns a shard and has a lease row."""
        alive = await self.store.shards.beats()
        owners = await self.store.shards.owners()
        return any(owner in alive and owner != self._server_id for _, owner, _ in owners)

    async def _stand_by(self) -> None:
        """Watch the others' beats; take over when they have not moved for 5 s."""
        for door in self.doors.values():
            door.close("another server took over")
        for owner in self.owners.values():
            await owner.stop()
        self.owners.clear()
        self.doors.clear()
        seen, still = await self.store.shards.beats(), 0
        while not self._stop.is_set():
            if not await self._owned_elsewhere() or still >= LOST_TICKS:
                await self._take()
                return
            await self._pause()
            beats = await self.store.shards.beats()
            moved = any(
                beats.get(owner) != seen.get(owner)
                for _, owner, _ in await self.store.shards.owners()
                if owner != self._server_id
            )
            seen, still = beats, 0 if moved else still + 1

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._ready:
                    await self._stand_by()
                await self.tick()
            except MainspringError as error:
                log.warning("%s", error.message)
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(TICK_S):
                await self._stop.wait()
        except TimeoutError:
            return
