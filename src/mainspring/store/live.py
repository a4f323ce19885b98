"""What the owner of a shard reads of it, over the database port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from mainspring.store.database import Database
from mainspring.store.protocol import (
    DebounceRow,
    InboxRow,
    KeyRow,
    Lane,
    LaneCount,
    LiveRow,
    RateRow,
    TimerRow,
)

_pairs = msgspec.json.Decoder(list[tuple[int, str]])


class Live:
    """See `mainspring.store.protocol.Live`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def active(self, shard_id: int) -> list[LiveRow]:
        return await self._database.fetch("live_active", LiveRow, {"shard": shard_id})

    async def holding(
        self, shard_id: int, after: str, limit: int
    ) -> list[tuple[str, int, int, str]]:
        scalars = {"shard": shard_id, "after": after, "limit": limit}
        return await self._database.fetch("live_holding", tuple[str, int, int, str], scalars)

    async def held(self, shard_id: int, run_ids: Sequence[str]) -> list[tuple[str, int, int, str]]:
        rows, into = [(run_id,) for run_id in run_ids], tuple[str, int, int, str]
        return await self._database.fetch("live_held", into, {"shard": shard_id}, rows)

    async def locate(self, shard_id: int, run_ids: Sequence[str]) -> list[LiveRow]:
        rows = [(run_id,) for run_id in run_ids]
        return await self._database.fetch("live_locate", LiveRow, {"shard": shard_id}, rows)

    async def known(self, shard_id: int, run_ids: Sequence[str]) -> dict[str, str]:
        rows = [(run_id,) for run_id in run_ids]
        return dict(
            await self._database.fetch("live_known", tuple[str, str], {"shard": shard_id}, rows)
        )

    async def done_epochs(self, shard_id: int, run_ids: Sequence[str]) -> dict[str, int]:
        rows = [(run_id,) for run_id in run_ids]
        return dict(
            await self._database.fetch(
                "live_done_epochs", tuple[str, int], {"shard": shard_id}, rows
            )
        )

    async def lanes(self, shard_id: int) -> list[LaneCount]:
        return await self._database.fetch("live_lanes", LaneCount, {"shard": shard_id})

    async def resumes(self, shard_id: int) -> list[LiveRow]:
        return await self._database.fetch("live_resumes", LiveRow, {"shard": shard_id})

    async def refill(
        self, shard_id: int, wanted: Sequence[tuple[Lane, int, str, int]]
    ) -> list[list[tuple[int, str]]]:
        found: list[list[tuple[int, str]]] = [[] for _ in wanted]
        asked = defaultdict(list)
        for at, (lane, ord_, run_id, most) in enumerate(wanted):
            asked[most].append((at, *lane, ord_, run_id))
        for most, rows in asked.items():
            values = {"shard": shard_id, "most": most}
            pages = await self._database.fetch("live_refill", tuple[int, str | None], values, rows)
            for at, page in pages:
                if page is not None:
                    found[at] = _pairs.decode(page)
        return found

    async def timers(
        self, shard_id: int, after: tuple[int, str, str], until: int, limit: int
    ) -> list[TimerRow]:
        fire_at, kind, run_id = after
        values = {
            "shard": shard_id,
            "fire_at": fire_at,
            "kind": kind,
            "run_id": run_id,
            "until": until,
            "most": limit,
        }
        return await self._database.fetch("live_timers", TimerRow, values)

    async def keys(self, shard_id: int, wanted: Sequence[tuple[int, str, str]]) -> list[KeyRow]:
        return await self._database.fetch("live_keys", KeyRow, {"shard": shard_id}, wanted)

    async def debounces(
        self, shard_id: int, wanted: Sequence[tuple[int, str, str]]
    ) -> list[DebounceRow]:
        return await self._database.fetch(
            "live_debounces", DebounceRow, {"shard": shard_id}, wanted
        )

    async def rates(self, shard_id: int) -> list[RateRow]:
        return await self._database.fetch("live_rates", RateRow, {"shard": shard_id})

    async def inbox(self, shard_id: int, limit: int) -> list[InboxRow]:
        values = {"shard": shard_id, "most": limit}
        return await self._database.fetch("live_inbox", InboxRow, values)
