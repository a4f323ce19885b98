"""What runs have behind them and what they wait for, over the database port."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.store.database import Database, T
from mainspring.store.waiting import EdgeRow, EndRow, JournalRow, LossesRow


class Waits:
    """See `mainspring.store.waiting.Waits`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_runs(self, shard_id: int, run_ids: Sequence[str]) -> list[EdgeRow]:
        return await self._of("waits_of_runs", EdgeRow, shard_id, run_ids)

    async def on(self, shard_id: int, waitpoint_ids: Sequence[str]) -> list[EdgeRow]:
        return await self._of("waits_on", EdgeRow, shard_id, waitpoint_ids)

    async def foreign(self, shard_id: int) -> list[str]:
        found = await self._database.fetch("waits_foreign", tuple[str], {"shard": shard_id})
        return [run_id for (run_id,) in found]

    async def entries(
        self, shard_id: int, wanted: Sequence[tuple[str, str, int]]
    ) -> list[JournalRow]:
        return await self._database.fetch(
            "journal_entries", JournalRow, {"shard": shard_id}, wanted
        )

    async def history(self, shard_id: int, run_ids: Sequence[str]) -> list[JournalRow]:
        return await self._of("journal_history", JournalRow, shard_id, run_ids)

    async def generations(self, shard_id: int, run_ids: Sequence[str]) -> dict[str, int]:
        return dict(await self._of("journal_generations", tuple[str, int], shard_id, run_ids))

    async def losses(self, shard_id: int, run_ids: Sequence[str]) -> dict[str, LossesRow]:
        found = await self._of("journal_losses", LossesRow, shard_id, run_ids)
        return {row.run_id: row for row in found}

    async def ends(self, shard_id: int, run_ids: Sequence[str]) -> list[EndRow]:
        return await self._of("waits_ends", EndRow, shard_id, run_ids)

    async def _of(self, name: str, into: type[T], shard_id: int, ids: Sequence[str]) -> list[T]:
        return await self._database.fetch(name, into, {"shard": shard_id}, [(id_,) for id_ in ids])
