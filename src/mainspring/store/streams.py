"""What runs write for those who watch them, over the database port."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.store.database import Database, T
from mainspring.store.streaming import ChunkRow, HeadRow, PlaceRow, RecordRow, Writer


class Streams:
    """See `mainspring.store.streaming.Streams`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self, shard_id: int, wanted: Sequence[Writer]) -> list[HeadRow]:
        return await self._database.fetch("streams_heads", HeadRow, {"shard": shard_id}, wanted)

    async def chunks(
        self, shard_id: int, run_id: str, stream: str, first: int, limit: int
    ) -> list[ChunkRow]:
        return await self._part("streams_chunks", ChunkRow, shard_id, run_id, stream, first, limit)

    async def records(
        self, shard_id: int, run_id: str, stream: str, first: int, limit: int
    ) -> list[RecordRow]:
        return await self._part("streams_inputs", RecordRow, shard_id, run_id, stream, first, limit)

    async def place(self, shard_id: int, run_id: str) -> PlaceRow | None:
        values = {"shard": shard_id, "run_id": run_id}
        found = await self._database.fetch("streams_place", PlaceRow, values)
        return found[0] if found else None

    async def _part(
        self,
        name: str,
        into: type[T],
        shard_id: int,
        run_id: str,
        stream: str,
        first: int,
        limit: int,
    ) -> list[T]:
        values = {
            "shard": shard_id, "run_id": run_id, "stream": stream, "first": first, "most": limit,
        }  # fmt: skip
        return await self._database.fetch(name, into, values)
