"""Leases of worker sessions, over the database port."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.store.database import Call, Database
from mainspring.store.leasing import LeaseRow


class Leases:
    """See `mainspring.store.leasing.Leases`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(self, shard_id: int) -> list[LeaseRow]:
        return await self._database.fetch("lease_rows", LeaseRow, {"shard": shard_id})

    async def keep(
        self,
        shard_id: int,
        epoch: int,
        server_id: str,
        heard: Sequence[tuple[str, int]],
        over: Sequence[str],
        *,
        whole: bool,
    ) -> None:
        values = {"shard": shard_id, "epoch": epoch, "server": server_id}
        found: list[Call] = []
        if heard:
            found.append(("lease_heard", values, sorted(heard)))
        if over:
            found.append(("lease_over", values, [(one,) for one in sorted(over)]))
        if whole:
            found.append(("lease_older", values, ()))
        await self._database.write(*found, fence=(shard_id, epoch))
