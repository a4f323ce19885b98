"""The servers of a database as one of them sees them: who lives, where, and who owns what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mainspring.clock import Clock
from mainspring.engine.spread import Chart, Sightings, spread
from mainspring.engine.uptimes import Uptimes
from mainspring.store.protocol import Shards

HOMES_S: Final = 30.0
"""How often it is asked which nodes of a cluster of databases have the rows of shards."""


class Members:
    """What the tables say of servers and shards, as of the last look.

    Attributes:
        places: owners by shard; "" for one that nobody owns.
        uptimes: what the clocks of the servers have shown.
        renewed_at: monotonic time at which this server last said that it lives, and was believed.
    """

    def __init__(self, shards: Shards, clock: Clock, server_id: str, address: str) -> None:
        self.places: dict[int, str] = {}
        self.renewed_at = 0.0
        self._shards = shards
        self._clock = clock
        self._server_id = server_id
        self._address = address
        self._addresses: dict[str, str] = {}
        self._nodes: dict[str, int] = {}
        self._homes: Mapping[int, int] = {}
        self._asked_at = -HOMES_S
        self.uptimes = Uptimes()
        self._sights = Sightings(server_id)

    @property
    def has_others(self) -> bool:
        """Whether there are, or were a moment ago, other servers."""
        return bool(self._addresses.keys() - {self._server_id})

    def address_of(self, shard_id: int) -> str:
        """Where the owner of a shard is reached; "" when there is none that could be."""
        owner = self.places.get(shard_id, "")
        return self._addresses.get(owner, "") if owner in self._sights.present else ""

    def is_mine(self, shard_id: int) -> bool:
        """Whether the tables name this server as the owner."""
        return self.places.get(shard_id) == self._server_id

    @property
    def living_addresses(self) -> set[str]:
        """Where those others are reached that are not lost."""
        return {self._addresses.get(name, "") for name in self._sights.present}

    def address(self, server_id: str) -> str:
        """Where a server is reached; "" = not at all."""
        return self._addresses.get(server_id, "")

    async def join(self) -> None:
        """Say for the first time that this server lives. Raises: StoreUnavailable."""
        await self._register()
        await self.look()

    async def renew(self) -> None:
        """Say that this server lives, and look around. Raises: StoreUnavailable."""
        started = self._clock.monotonic()
        await self._shards.beat(self._server_id, _milliseconds(started))
        await self.look()
        self.renewed_at = started

    async def leave(self) -> None:
        """Own nothing, and live no more. Raises: StoreUnavailable."""
        await self._shards.leave(self._server_id)

    async def look(self) -> None:
        """See who lives and who owns what. Raises: StoreUnavailable."""
        await self.watch()
        self.places = {shard_id: owner for shard_id, owner, _ in await self._shards.owners()}
        now = self._clock.monotonic()
        if len(set(self._nodes.values())) > 1 and now - self._asked_at >= HOMES_S:
            self._homes = await self._shards.homes(self.places)
            self._asked_at = now

    async def watch(self) -> bool:
        """See who lives; True when somebody has come, gone, or been lost.

        Raises: StoreUnavailable.
        """
        found = await self._shards.beats()
        now = self._clock.monotonic()
        self.uptimes.look(found, now)
        beats = {one.server_id: one.beat for one in found}
        if self._server_id not in beats:  # we had counted as lost
            await self._register()
        if beats.keys() != self._addresses.keys():
            hosts = await self._shards.hosts()
            self._addresses = {one.server_id: one.address for one in hosts}
            self._nodes = {one.server_id: one.node for one in hosts if one.node is not None}
        return self._sights.look(beats, now)

    def plan(self) -> dict[int, str]:
        """The shards that this server is to take or to give, with their owners to be.

        A server that others cannot reach takes nothing as long as another one owns anything, and
        nobody takes from it.
        """
        me = self._server_id
        able = {name for name in self._sights.alive if self._addresses.get(name)}
        settled = self._sights.present - able
        if self._address:
            able.add(me)
        elif self._sights.present.isdisjoint(self.places.values()):
            able = {me}
        else:
            able = set()
        if not able:
            return {}
        open_ = {shard: owner for shard, owner in self.places.items() if owner not in settled}
        living = self._sights.present
        if any(owner and owner != me and owner not in living for owner in open_.values()):
            able = {name for name in able if name == me or name in self._sights.settled}
        return {
            shard: to
            for shard, to in spread(open_, able, Chart(self._homes, self._nodes)).items()
            if (to == me and open_[shard] not in {me, *living}) or (to != me and open_[shard] == me)
        }

    @property
    def others(self) -> list[str]:
        """Servers that live and can be told something."""
        return sorted(name for name in self._sights.alive if self._addresses.get(name))

    async def tidy(self) -> None:
        """Remove the lease rows of lost servers that own nothing any more."""
        for server_id, beat in self._sights.lost.items():
            if server_id not in self.places.values():
                await self._shards.forget(server_id, beat)

    async def _register(self) -> None:
        uptime = _milliseconds(self._clock.monotonic())
        await self._shards.register(self._server_id, self._address, uptime)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
