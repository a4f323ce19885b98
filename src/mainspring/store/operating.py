"""Bulk actions and schedules as the rooms above read them: rows and the protocol.

Every coroutine may raise `StoreUnavailable`. Bulk actions and schedules are written by commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

DECLARED: Final = "!task/"
"""Begins the deduplication key of a schedule that code has declared; no caller can send one."""


class BulkRow(Struct, array_like=True):
    """A bulk action. `wanted` is JSON of what it is about; `place` the last run dealt with, or how
    many when it is about ids.
    """

    bulk_id: str
    env_id: int
    kind: str
    status: str
    name: str | None
    region: str | None
    wanted: str
    place: str
    total: int
    success: int
    failure: int
    created_at: int
    completed_at: int | None


class ScheduleRow(Struct, array_like=True):
    """A schedule. `next_at` is the nominal time of its next tick, `fire_at` when that starts,
    `last_at` the nominal time of the last fired one; `spread` the window of its ticks. `gone`: the
    code that declared it is not there any more, which has switched it off.
    """

    schedule_id: str
    env_id: int
    kind: str
    task: str
    cron: str
    timezone: str
    spread: str | None
    dedup_key: str
    external_id: str | None
    active: int
    next_at: int
    last_at: int | None
    created_at: int
    updated_at: int
    fire_at: int = 0
    catch_up: str = "latest"
    gone: int = 0


class PastRow(Struct, array_like=True, gc=False):
    """An entry of a run's journal for people; `data` only of triggers, attempts and losses."""

    key: str
    generation: int
    seq: int
    kind: str
    status: str
    started_at: int
    ended_at: int | None
    data: str | None


class Window(Struct, frozen=True):
    """Which part of a list: ids between `low` and `high`, without them, from the newest on or, if
    `newer`, from the oldest on; at most `limit` + 1, always newest first.
    """

    low: str
    high: str
    limit: int
    newer: bool = False


class Operating(Protocol):
    """What people do in bulk and by schedule."""

    async def pending(self, shard_id: int) -> list[BulkRow]:
        """Bulk actions that have not ended, the oldest first."""
        ...

    async def bulk(self, shard_id: int, bulk_id: str) -> BulkRow | None: ...

    async def bulks(self, shard_id: int, env_id: int, window: Window) -> list[BulkRow]: ...

    async def schedule(self, shard_id: int, schedule_id: str) -> ScheduleRow | None: ...

    async def schedule_of_key(self, shard_id: int, env_id: int, key: str) -> ScheduleRow | None:
        """The schedule that holds that deduplication key."""
        ...

    async def schedules(
        self, shard_id: int, env_id: int, skip: int, limit: int
    ) -> list[ScheduleRow]:
        """Newest first."""
        ...

    async def schedules_many(self, shard_id: int, ids: Sequence[str]) -> list[ScheduleRow]: ...

    async def schedules_declared(self, shard_id: int, env_id: int) -> list[ScheduleRow]:
        """Those that code has declared, by key."""
        ...

    async def schedules_due(
        self, shard_id: int, after: tuple[int, str], until: int, limit: int
    ) -> list[tuple[int, str]]:
        """(fire_at, schedule id) of active ones, after that pair and not later than `until`."""
        ...

    async def schedule_count(self, shard_id: int, env_id: int) -> int: ...

    async def past(self, shard_id: int, run_id: str, limit: int) -> list[PastRow]:
        """The journal of a run, of every generation, by key."""
        ...

    async def pause(self, env_id: int, paused: bool) -> None:
        """Keep that the environment is paused, or not."""
        ...

    async def limit(self, env_id: int, limit: int | None, burst: float) -> None:
        """Keep how many runs the environment may have at once."""
        ...

    async def archive(self, env_id: int, slug: str, now: int) -> None:
        """Keep that the environment is over: its keys end, and it is called `slug`."""
        ...
