"""Ownership of shards and the fenced commit, over the database port."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mainspring.store.changes import Changes, Claimed
from mainspring.store.database import Database
from mainspring.store.leasing import Beat, Host
from mainspring.telemetry.metrics import Sample


class Shards:
    """See `mainspring.store.protocol.Shards`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        return await self._database.commit(shard_id, epoch, changes)

    async def take(self, shard_id: int, server_id: str) -> int:
        shard = {"shard": shard_id}
        [[epoch]] = await self._database.write(
            ("shard_make", shard, ()),
            ("shard_lock", shard, ()),
            ("shard_take", {"shard": shard_id, "owner": server_id}, ()),
        )
        return int(epoch)

    async def take_from(self, shard_id: int, server_id: str, former: str) -> int | None:
        shard = {"shard": shard_id}
        found = await self._database.write(
            ("shard_make", shard, ()),
            ("shard_lock", shard, ()),
            ("shard_take_from", {**shard, "owner": server_id, "former": former}, ()),
        )
        return int(found[0][0]) if found else None

    async def give(self, shard_id: int, server_id: str, epoch: int, to: str) -> bool:
        shard = {"shard": shard_id}
        given = {**shard, "owner": to, "former": server_id, "epoch": epoch}
        found = await self._database.write(("shard_lock", shard, ()), ("shard_give", given, ()))
        return bool(found)

    async def owners(self) -> list[tuple[int, str, int]]:
        return await self._database.fetch("shard_owners", tuple[int, str, int], {})

    async def register(self, server_id: str, address: str, uptime_ms: int | None = None) -> None:
        node = (await self._database.nodes()).own
        values = {"server": server_id, "address": address, "uptime": uptime_ms, "node": node}
        await self._database.write(("server_register", values, ()))

    async def beat(self, server_id: str, uptime_ms: int | None = None) -> None:
        values = {"server": server_id, "uptime": uptime_ms}
        await self._database.write(("server_beat", values, ()))

    async def beats(self) -> list[Beat]:
        return await self._database.fetch("server_beats", Beat, {})

    async def hosts(self) -> list[Host]:
        return await self._database.fetch("server_hosts", Host, {})

    async def homes(self, shard_ids: Collection[int]) -> Mapping[int, int]:
        return (await self._database.nodes(shard_ids)).homes

    async def forget(self, server_id: str, beat: int) -> None:
        await self._database.write(("server_forget", {"server": server_id, "beat": beat}, ()))

    async def leave(self, server_id: str) -> None:
        server = {"server": server_id}
        await self._database.write(("shard_leave", server, ()), ("server_leave", server, ()))

    def figures(self) -> list[Sample]:
        return self._database.figures()

    async def now(self) -> int:
        [(now,)] = await self._database.fetch("clock", tuple[int], {})
        return now
