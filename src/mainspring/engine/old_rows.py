"""Rows of runs and batches as the archive has them, with large values fetched. Only read here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from mainspring.errors import NotFound
from mainspring.model.run import Run
from mainspring.store.changes import Row
from mainspring.store.objects import Objects
from mainspring.store.protocol import EnvironmentRow, Store

CHUNK: Final = 250
"""Runs that are read at once."""
PAUSE_S: Final = 0.01
"""After each of them: so much is left to the work of the day."""
TEXT: Final = 4 * 1024 * 1024
"""Characters of large values that are in memory at once."""
ITEMS: Final = 2_000
_LARGE: Final = frozenset({"step", "input"})
"""Tables whose last column but one is data, and whose last says where it is if it is large."""

_encode = msgspec.json.Encoder().encode


class OldRows:
    """Reads the rows of a shard."""

    def __init__(
        self,
        store: Store,
        objects: Objects,
        shard_id: int,
        environments: Mapping[int, EnvironmentRow],
    ) -> None:
        self._store = store
        self._objects = objects
        self._shard_id = shard_id
        self._environments = environments

    async def of(self, table: str, ids: Sequence[str]) -> AsyncIterator[list[Row]]:
        """All rows of a table that belong to these runs or batches, in the order of the ids."""
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            await asyncio.sleep(PAUSE_S)
            match table:
                case "run":
                    runs = await self._store.runs.many(self._shard_id, chunk)
                    async for rows in self._runs(sorted(runs, key=lambda run: run.id)):
                        yield rows
                case "batch":
                    yield await self._batches(chunk)
                case "batch_item":
                    async for rows in self._items(chunk):
                        yield rows
                case _:
                    archives = self._store.past.archives
                    async for rows in archives.rows(self._shard_id, table, chunk):
                        if table not in _LARGE:
                            yield rows
                            continue
                        async for whole in self._whole(rows):
                            yield whole

    async def _runs(self, runs: Iterable[Run]) -> AsyncIterator[list[Row]]:
        rows, size = list[Row](), 0
        for run in runs:
            if run.payload_ref is not None:
                run.payload = await self._large(run.payload_ref)
                size += len(run.payload or "")
            if run.output_ref is not None:
                run.output = await self._large(run.output_ref)
                size += len(run.output or "")
            rows.append(_row(run, self._slug(run.env_id)))
            if size > TEXT:
                yield rows
                rows, size = [], 0
        yield rows

    async def _whole(self, found: Iterable[Row]) -> AsyncIterator[list[Row]]:
        rows, size = list[Row](), 0
        for *row, data, ref in found:
            text = data if ref is None else await self._large(ref)
            rows.append((*row, text))
            size += 0 if ref is None else len(text or "")
            if size > TEXT:
                yield rows
                rows, size = [], 0
        yield rows

    async def _batches(self, batch_ids: Sequence[str]) -> list[Row]:
        found = await self._store.batches.many(self._shard_id, batch_ids)
        return [
            (
                row.batch_id,
                self._slug(row.env_id),
                row.run_count,
                row.received,
                row.failed,
                row.parent_id,
                row.idempotency_shown or row.idempotency_key,
                row.created_at,
                row.updated_at,
                row.sealed_at,
            )
            for row in sorted(found, key=lambda row: row.batch_id)
        ]

    async def _items(self, batch_ids: Sequence[str]) -> AsyncIterator[list[Row]]:
        for batch_id in batch_ids:
            after = -1
            while True:
                page = await self._store.batches.page(self._shard_id, batch_id, after, ITEMS)
                yield [msgspec.structs.astuple(item) for item in page]
                if len(page) < ITEMS:
                    break
                after = page[-1].number

    async def _large(self, ref: str) -> str | None:
        try:
            return await self._objects.get(ref)
        except NotFound:  # nobody could read it any more
            return None

    def _slug(self, env_id: int) -> str:
        env = self._environments.get(env_id)
        return str(env_id) if env is None else env.slug


def _row(run: Run, slug: str) -> Row:
    """A run in the columns of the table."""
    return (
        run.id,
        slug,
        run.task,
        run.queue,
        run.concurrency_key,
        run.version,
        run.status.value,
        run.attempt,
        run.created_at,
        run.started_at,
        run.finished_at,
        run.active_ms,
        run.parent_id,
        run.root_id,
        run.depth,
        run.batch_id,
        run.replay_of,
        run.schedule_id,
        run.idempotency_key,
        run.priority_ms,
        run.ttl_ms,
        run.max_attempts,
        run.max_duration_ms,
        run.machine,
        run.region,
        run.is_test,
        run.trace,
        run.tags,
        run.streams,
        run.metadata,
        run.payload,
        run.output,
        None if run.error is None else _encode(run.error).decode(),
    )
