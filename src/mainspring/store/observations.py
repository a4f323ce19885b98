"""What people look at across runs, over the database port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mainspring.store.batching import BatchRow
from mainspring.store.database import Database
from mainspring.store.observing import FaultRow, LineRow
from mainspring.store.operating import Window

_COMPLETED: Final = "completed"


class Observations:
    """See `mainspring.store.observing.Observing`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def parked(self, shard_id: int, env_id: int, most: int) -> dict[str, int]:
        values = {"shard": shard_id, "env_id": env_id, "most": most}
        return dict(await self._database.fetch("observed_parked", tuple[str, int], values))

    async def ended(
        self, shard_id: int, env_id: int, statuses: Sequence[str], low: str, most: int
    ) -> dict[str, int]:
        values = {"shard": shard_id, "env_id": env_id, "low": low, "most": most}
        rows = [(status,) for status in statuses if status != _COMPLETED]
        ends = await self._database.fetch("observed_ends", tuple[str, int], values, rows)
        found = dict(ends)
        if _COMPLETED in statuses:
            ((count,),) = await self._database.fetch("observed_completed", tuple[int], values)
            found[_COMPLETED] = count
        return found

    async def batches(self, shard_id: int, env_id: int, window: Window) -> list[BatchRow]:
        values = {
            "shard": shard_id,
            "env_id": env_id,
            "low": window.low,
            "high": window.high,
            "most": window.limit + 1,
        }
        name = "observed_batches_newer" if window.newer else "observed_batches_older"
        found = await self._database.fetch(name, BatchRow, values)
        return found[::-1] if window.newer else found

    async def batch_ends(
        self, shard_id: int, batch_id: str, since: int, limit: int
    ) -> list[tuple[int, int]]:
        values = {"shard": shard_id, "batch_id": batch_id, "since": since, "most": limit}
        return await self._database.fetch("batches_ends", tuple[int, int], values)

    async def faults(
        self, shard_id: int, env_id: int, before: tuple[int, str], limit: int
    ) -> list[FaultRow]:
        last_at, fingerprint = before
        values = {
            "shard": shard_id,
            "env_id": env_id,
            "last_at": last_at,
            "fingerprint": fingerprint,
            "most": limit,
        }
        return await self._database.fetch("faults_page", FaultRow, values)

    async def fault(self, shard_id: int, env_id: int, fingerprint: str) -> FaultRow | None:
        values = {"shard": shard_id, "env_id": env_id, "fingerprint": fingerprint}
        found = await self._database.fetch("fault_one", FaultRow, values)
        return found[0] if found else None

    async def mark_fault(
        self, shard_id: int, epoch: int, env_id: int, fingerprint: str, status: str, now: int
    ) -> None:
        values = {
            "shard": shard_id,
            "env_id": env_id,
            "fingerprint": fingerprint,
            "status": status,
            "now": now,
        }
        await self._database.write(("fault_mark", values, ()), fence=(shard_id, epoch))

    async def forget_faults(
        self, shard_id: int, epoch: int, env_id: int, before: int, limit: int
    ) -> int:
        values = {"shard": shard_id, "env_id": env_id, "before": before, "most": limit}
        found = await self._database.fetch("faults_past", tuple[str], values)
        rows = [(env_id, fingerprint) for (fingerprint,) in found]
        if rows:
            call = ("drop_fault", {"shard": shard_id}, rows)
            await self._database.write(call, fence=(shard_id, epoch))
        return len(rows)

    async def lines(
        self, shard_id: int, before: tuple[int, str, int], since: int, limit: int
    ) -> list[LineRow]:
        at, run_id, seq = before
        values = {
            "shard": shard_id,
            "at": at,
            "run_id": run_id,
            "seq": seq,
            "since": since,
            "most": limit,
        }
        found = await self._database.fetch("observed_lines", LineRow, values)
        return sorted(found, key=lambda row: (row.at, row.run_id, row.seq), reverse=True)
