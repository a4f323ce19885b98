"""The shards that this server owns: taken, given away, dropped. Which ones, others decide."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from mainspring.clock import Clock
from mainspring.engine.connect import Answering, Door
from mainspring.engine.owner import Owner
from mainspring.engine.state import State
from mainspring.engine.uptimes import Uptimes
from mainspring.engine.variables import Variables
from mainspring.ids import Bits
from mainspring.store.changes import Row
from mainspring.store.objects import Objects
from mainspring.store.protocol import Store
from mainspring.wire.worker import LEASE_S

Tell = Callable[[str], None]
"""Tells a server that there is a shard for it; it is enough to try."""

log = logging.getLogger("mainspring.engine")


class Holdings:
    """Owners and doors by shard.

    Attributes:
        leaving: shards that are being given away; their requests wait for the new owner.
    """

    def __init__(
        self,
        store: Store,
        objects: Objects,
        clock: Clock,
        bits: Bits,
        server_id: str,
        variables: Variables,
        answer: Answering,
    ) -> None:
        self.owners: dict[int, Owner] = {}
        self.doors: dict[int, Door] = {}
        self.leaving: set[int] = set()
        self.on_ends: Callable[[Owner, Sequence[Row]], None] | None = None
        self._taken_at: dict[int, float] = {}
        self._store = store
        self._objects = objects
        self._clock = clock
        self._bits = bits
        self._server_id = server_id
        self._variables = variables
        self._answer = answer

    def owner(self, shard_id: int) -> Owner | None:
        """The owner that answers for a shard here and now."""
        owner = self.owners.get(shard_id)
        if owner is None or owner.is_over or shard_id in self.leaving:
            return None
        return owner

    async def take(self, shard_id: int, former: str, uptimes: Uptimes) -> bool:
        """Become the owner after `former`; False when somebody else has.

        Raises: StoreUnavailable.
        """
        epoch = await self._store.shards.take_from(shard_id, self._server_id, former)
        if epoch is None:
            return False
        self._variables.forget()
        state = State(shard_id, self._clock, self._bits)
        await self._read(state)
        owner = Owner(state, self._store, self._objects, self._server_id)
        door = Door(owner, self._answer)
        owner.rebuilt = door.ask_all
        owner.variables = self._variables
        if self.on_ends is not None:
            owner.publisher.on_ends = partial(self.on_ends, owner)
        await owner.start(epoch, uptimes.heard(await self._store.leases.rows(shard_id)))
        door.leases.all()
        door.leases.ring()  # at once, for we may die as well
        self.owners[shard_id] = owner
        self.doors[shard_id] = door
        self._taken_at[shard_id] = self._clock.monotonic()
        return True

    async def _read(self, state: State) -> None:
        """Know the environments of a shard, their queues and tasks; the shard must be ours by now.

        While we wait for it the former owner sets limits and pauses, which no commit fences.
        """
        found = await self._store.catalog.environments()
        ours = [env for env in found if env.shard_id == state.shard_id]
        for env in ours:
            state.set_environment(env)
        await asyncio.gather(*(self._read_environment(state, env.env_id) for env in ours))

    async def _read_environment(self, state: State, env_id: int) -> None:
        catalog = self._store.catalog
        queues, tasks = await asyncio.gather(catalog.queues(env_id), catalog.tasks(env_id))
        for queue in queues:
            state.set_queue(queue)
        for spec, version in tasks:
            state.set_task(env_id, spec, version)

    def is_new(self, shard_id: int) -> bool:
        """Whether sessions of the former owner may still be on their way to this one."""
        age = self._clock.monotonic() - self._taken_at[shard_id]
        return self.owners[shard_id].epoch > 1 and age <= LEASE_S

    async def give(self, shard_id: int, to: str, tell: Tell) -> None:
        """Hand a shard over: what is being committed is answered, what waits goes to the new owner.

        Raises: StoreUnavailable; the shard is nobody's in memory then, and is taken anew.
        """
        owner, door = self.owners[shard_id], self.doors[shard_id]
        await door.flush_logs()  # as long as nobody has to wait for it
        self.leaving.add(shard_id)
        try:
            await owner.stop()
            await door.flush_logs()
            if await self._store.shards.give(shard_id, self._server_id, owner.epoch, to):
                tell(to)
            await owner.measures.flush()  # rows of its own, whoever has the shard
        finally:
            self.leaving.discard(shard_id)
            self._forget(shard_id)

    async def drop(self, shard_id: int) -> None:
        """Forget a shard that another server has taken."""
        log.warning("shard %s belongs to another server now", shard_id)
        await self.owners[shard_id].stop()
        self._forget(shard_id)

    async def stop(self) -> None:
        """End all owners; their shards stay this server's in the rows."""
        for door in self.doors.values():
            await door.flush_logs()
        await asyncio.gather(*(owner.stop() for owner in self.owners.values()))
        for door in self.doors.values():
            await door.leases.idle()
        await asyncio.gather(*(owner.measures.flush() for owner in self.owners.values()))
        self.owners.clear()

    def _forget(self, shard_id: int) -> None:
        self.doors.pop(shard_id).close("another server has this environment now")
        del self.owners[shard_id]
