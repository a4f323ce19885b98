"""Bulk actions and schedules, over the database port."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.store.database import Database, T
from mainspring.store.operating import (
    DECLARED,
    BulkRow,
    PastRow,
    ScheduleRow,
    Window,
)


class Operations:
    """See `mainspring.store.operating.Operating`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending(self, shard_id: int) -> list[BulkRow]:
        return await self._database.fetch("bulk_pending", BulkRow, {"shard": shard_id})

    async def bulk(self, shard_id: int, bulk_id: str) -> BulkRow | None:
        values = {"shard": shard_id, "bulk_id": bulk_id}
        found = await self._database.fetch("bulk_one", BulkRow, values)
        return found[0] if found else None

    async def bulks(self, shard_id: int, env_id: int, window: Window) -> list[BulkRow]:
        return await page(self._database, "bulk", BulkRow, shard_id, env_id, window)

    async def schedule(self, shard_id: int, schedule_id: str) -> ScheduleRow | None:
        values = {"shard": shard_id, "schedule_id": schedule_id}
        found = await self._database.fetch("schedule_one", ScheduleRow, values)
        return found[0] if found else None

    async def schedule_of_key(self, shard_id: int, env_id: int, key: str) -> ScheduleRow | None:
        values = {"shard": shard_id, "env_id": env_id, "dedup_key": key}
        found = await self._database.fetch("schedule_of_key", ScheduleRow, values)
        return found[0] if found else None

    async def schedules(
        self, shard_id: int, env_id: int, skip: int, limit: int
    ) -> list[ScheduleRow]:
        values = {"shard": shard_id, "env_id": env_id, "skip": skip, "most": limit}
        return await self._database.fetch("schedule_page", ScheduleRow, values)

    async def schedules_many(self, shard_id: int, ids: Sequence[str]) -> list[ScheduleRow]:
        rows = [(id_,) for id_ in ids]
        return await self._database.fetch("schedules_many", ScheduleRow, {"shard": shard_id}, rows)

    async def schedules_declared(self, shard_id: int, env_id: int) -> list[ScheduleRow]:
        values = {"shard": shard_id, "env_id": env_id, "low": DECLARED, "high": f"{DECLARED[:-1]}0"}
        return await self._database.fetch("schedules_declared", ScheduleRow, values)

    async def schedules_due(
        self, shard_id: int, after: tuple[int, str], until: int, limit: int
    ) -> list[tuple[int, str]]:
        fire_at, schedule_id = after
        values = {
            "shard": shard_id,
            "fire_at": fire_at,
            "schedule_id": schedule_id,
            "until": until,
            "most": limit,
        }
        return await self._database.fetch("schedules_due", tuple[int, str], values)

    async def schedule_count(self, shard_id: int, env_id: int) -> int:
        values = {"shard": shard_id, "env_id": env_id}
        [(count,)] = await self._database.fetch("schedule_count", tuple[int], values)
        return count

    async def past(self, shard_id: int, run_id: str, limit: int) -> list[PastRow]:
        values = {"shard": shard_id, "run_id": run_id, "most": limit}
        return await self._database.fetch("journal_of_run", PastRow, values)

    async def pause(self, env_id: int, paused: bool) -> None:
        await self._database.write(
            ("environment_pause", {"env_id": env_id, "paused": int(paused)}, ())
        )

    async def limit(self, env_id: int, limit: int | None, burst: float) -> None:
        values = {"env_id": env_id, "run_limit": limit, "burst": burst}
        await self._database.write(("environment_limit", values, ()))

    async def archive(self, env_id: int, slug: str, now: int) -> None:
        await self._database.write(
            ("keys_end", {"env_id": env_id, "now": now}, ()),
            ("environment_archive", {"env_id": env_id, "slug": slug}, ()),
        )


async def page(
    database: Database, name: str, into: type[T], shard_id: int, env_id: int, window: Window
) -> list[T]:
    """A part of the list that the statements `name`_older and `name`_newer give."""
    values = {
        "shard": shard_id,
        "env_id": env_id,
        "low": window.low,
        "high": window.high,
        "most": window.limit + 1,
    }
    if window.newer:
        return (await database.fetch(f"{name}_newer", into, values))[::-1]
    return await database.fetch(f"{name}_older", into, values)
