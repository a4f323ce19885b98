"""Batches, their items and repeatable requests, over the database port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mainspring.store.batching import BatchRow, ItemRow, RequestRow
from mainspring.store.database import Database

PAGE: Final = 250


class Batches:
    """See `mainspring.store.batching.Batches`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def many(self, shard_id: int, batch_ids: Sequence[str]) -> list[BatchRow]:
        rows = [(batch_id,) for batch_id in batch_ids]
        return await self._database.fetch("batches_many", BatchRow, {"shard": shard_id}, rows)

    async def items(self, shard_id: int, wanted: Sequence[tuple[str, int]]) -> list[ItemRow]:
        return await self._database.fetch("batches_items", ItemRow, {"shard": shard_id}, wanted)

    async def page(self, shard_id: int, batch_id: str, after: int, limit: int) -> list[ItemRow]:
        values = {"shard": shard_id, "batch_id": batch_id, "after": after, "most": limit}
        return await self._database.fetch("batches_page", ItemRow, values)

    async def first_open(self, shard_id: int, batch_id: str, since: int) -> int | None:
        while True:
            values = {"shard": shard_id, "batch_id": batch_id, "since": since, "most": PAGE}
            found = await self._database.fetch("batches_ends", tuple[int, int], values)
            for number, ended in found:
                if not ended:
                    return number
            if len(found) < PAGE:
                return None
            since = found[-1][0] + 1

    async def requests(
        self, shard_id: int, wanted: Sequence[tuple[int, int, str]]
    ) -> list[RequestRow]:
        return await self._database.fetch("requests_many", RequestRow, {"shard": shard_id}, wanted)

    async def forget_requests(self, shard_id: int, slot: int, limit: int) -> int:
        values = {"shard": shard_id, "slot": slot, "most": limit}
        rows = await self._database.fetch("requests_lapsed", tuple[int, int, str], values)
        if rows:
            await self._database.write(("requests_drop", {"shard": shard_id}, rows))
        return len(rows)
