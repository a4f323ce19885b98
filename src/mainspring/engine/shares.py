"""This server's share of the shards, kept up as servers come, go and fall silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mainspring.clock import Clock
from mainspring.engine.holdings import Holdings, Tell
from mainspring.engine.members import Members
from mainspring.engine.owner import Owner
from mainspring.engine.spread import LOST_S
from mainspring.errors import Elsewhere, MainspringError, StoreUnavailable
from mainspring.store.protocol import EnvironmentRow

BEAT_S = 0.5
AT_ONCE = 8
"""Shards that are handed over at the same time."""

log = logging.getLogger("mainspring.engine")


class Shares:
    """What this server owns, and what it knows of the others.

    Attributes:
        running: between `start` and `stop`.
        on_take: called when there is another shard to answer for.
        on_look: called when it may have become known who owns what.
        tell: tells a server that there may be a shard for it; it then calls `told`.
    """

    def __init__(self, members: Members, held: Holdings, clock: Clock, server_id: str) -> None:
        self.members = members
        self.held = held
        self.running = False
        self.on_take: Callable[[], None] = lambda: None
        self.on_look: Callable[[], None] = lambda: None
        self.tell: Tell = lambda server_id: None
        self.bell = asyncio.Event()
        self._clock = clock
        self._server_id = server_id
        self._owning = asyncio.Lock()
        self._told = False

    @property
    def any(self) -> bool:
        """Whether this server answers for shards, or there are none that another one owns."""
        if not self.running:
            return False
        return any(map(self.held.owner, self.held.owners)) or not any(self.members.places.values())

    @property
    def renewed(self) -> bool:
        """Whether this server has said a moment ago that it lives, and was not contradicted."""
        return self.running and self._clock.monotonic() - self.members.renewed_at <= LOST_S

    def owns(self, shard_id: int) -> bool:
        """Whether this server answers for a shard."""
        return self.running and self.held.owner(shard_id) is not None

    def owner(self, env: EnvironmentRow) -> Owner:
        """Who answers for an environment. Raises: Elsewhere."""
        owner = self.held.owner(env.shard_id)
        if owner is None or not self.running:
            raise Elsewhere("This server does not own the environment now; repeat shortly.")
        return owner

    def check_sure(self) -> None:
        """Raises: StoreUnavailable while this server is not sure to be an owner itself."""
        if self._clock.monotonic() - self.members.renewed_at > LOST_S:
            raise StoreUnavailable("This server is not sure to own the database; repeat shortly.")

    async def start(self) -> None:
        """Come to the other servers, and take what is free. Raises: StoreUnavailable."""
        await self.members.join()
        self.members.renewed_at = self._clock.monotonic()
        self.running = True
        await self.balance()

    async def stop(self) -> None:
        """Give everything up, once the turns under way have ended. Safe to call twice."""
        async with self._owning:  # an environment may be taken at this moment
            was_running, self.running = self.running, False
            await self.held.stop()
            if was_running:
                await self.members.leave()
        for server_id in self.members.others:
            self.tell(server_id)

    def told(self) -> None:
        """There may be a shard for this server: look at once."""
        self._told = True
        self.bell.set()

    async def tick(self) -> None:
        """Say that this server lives, look around, and keep up its share; each when it is time."""
        if self._told:  # somebody waits for it
            self._told = False
            await self.look()
        elif self._clock.monotonic() - self.members.renewed_at >= BEAT_S:
            await self.renew()
        elif self.members.has_others and await self.members.watch():
            await self.look()
        await self.balance()

    async def renew(self) -> None:
        """Say that this server lives, and answer no more for what another one has taken."""
        await self.members.renew()
        for shard_id, owner in self.held.owners.items():
            if self.members.places.get(shard_id) != self._server_id:
                owner.depose()
        self.on_look()

    async def look(self) -> None:
        """See who owns what now. Raises: StoreUnavailable."""
        await self.members.look()
        self.on_look()

    async def ensure(self, shard_id: int) -> None:
        """See that a shard that may be new gets an owner. Raises: StoreUnavailable."""
        if self.running and not self.members.places.get(shard_id):
            await self.look()
            await self.balance()

    async def balance(self) -> None:
        """Drop what is others', take what is free or was given, and give what is too much."""
        if self._is_balanced():
            return
        async with self._owning:
            await self.members.look()
            places, mine = self.members.places, self._server_id
            for shard_id, owner in list(self.held.owners.items()):
                if owner.is_over or places.get(shard_id) != mine:
                    await self.held.drop(shard_id)
            plan = self.members.plan() if self.running else {}
            taken = {shard: places[shard] for shard, to in plan.items() if to == mine}
            for shard_id, owned_by in places.items():
                if owned_by == mine and shard_id not in self.held.owners and self.running:
                    taken[shard_id] = mine
            for shard_id, former in sorted(taken.items()):
                if await self.held.take(shard_id, former, self.members.uptimes):
                    places[shard_id] = mine
                    self.on_take()
            await self._give({shard: to for shard, to in plan.items() if to != mine})
            await self.members.look()
            await self.members.tidy()
        self.on_look()

    def _is_balanced(self) -> bool:
        places, owners = self.members.places, self.held.owners
        mine = {shard for shard, owner in places.items() if owner == self._server_id}
        over = any(owner.is_over for owner in owners.values())
        return mine == owners.keys() and not over and not self.members.plan()

    async def _give(self, shards: dict[int, str]) -> None:
        at_once = asyncio.Semaphore(AT_ONCE)

        async def give(shard_id: int, to: str) -> None:
            async with at_once:
                await self.held.give(shard_id, to, self.tell)

        given = (give(*one) for one in sorted(shards.items()) if one[0] in self.held.owners)
        for end in await asyncio.gather(*given, return_exceptions=True):
            if isinstance(end, MainspringError):
                log.warning("a shard could not be handed over: %s", end.message)
            elif end is not None:
                raise end
