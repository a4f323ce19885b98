"""The read side for people and programs, over the database port. Which index: `store.pages`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from mainspring.errors import CommitRejected
from mainspring.model.run import Run, RunError, RunFilter, Status
from mainspring.store.changes import RunOptions
from mainspring.store.database import Database, T
from mainspring.store.measuring import Measuring
from mainspring.store.observations import Observations
from mainspring.store.pages import COUNTED, PageQuery
from mainspring.store.protocol import DocumentRow, InboxRow
from mainspring.wire.calls import LogEntry
from mainspring.wire.worker import LogLine

_TRIES: Final = 10
_AMONG: Final = 20_000
_options: Final = msgspec.json.Decoder(RunOptions)
_error: Final = msgspec.json.Decoder(RunError)
_texts: Final = msgspec.json.Decoder(tuple[str, ...])
_NO_OPTIONS: Final = RunOptions()


class _Row(Struct, array_like=True, gc=False):
    """A row of the statement `runs_many`."""

    run_id: str
    env_id: int
    task: str
    queue: str
    ckey: str
    version: str
    created_at: int
    payload: str | None
    payload_ref: str | None
    options: str
    parent_id: str | None
    root_id: str | None
    depth: int
    batch_id: str | None
    is_test: int
    status: str
    attempt: int
    started_at: int
    active_ms: int
    claimed_at: int | None
    cancel_at: int | None
    kind: str | None
    due_at: int | None
    finished_at: int | None
    output: str | None
    output_ref: str | None
    error: str | None
    metadata: str | None
    metadata_at: int | None
    change: int
    tags: str | None
    streams: str | None

    def run(self) -> Run:
        options = _options.decode(self.options) if self.options else _NO_OPTIONS
        run = Run(
            id=self.run_id,
            task=self.task,
            status=Status(self.status),
            queue=self.queue,
            env_id=self.env_id,
            created_at=self.created_at,
            concurrency_key=self.ckey,
            version=self.version,
            payload=self.payload,
            output=self.output,
            error=_error.decode(self.error) if self.error else None,
            metadata=self.metadata,
            tags=_texts.decode(self.tags) if self.tags else (),
            attempt=self.attempt if self.started_at else 0,
            priority_ms=options.priority_ms,
            idempotency_key=options.idempotency_shown or options.idempotency_key,
            is_test=bool(self.is_test),
            started_at=self.started_at or None,
            finished_at=self.finished_at,
            updated_at=max(
                self.created_at, self.claimed_at or 0, self.finished_at or 0, self.metadata_at or 0
            ),
            delayed_until=self.due_at if self.kind == "delay" else None,
            retry_at=self.due_at if self.kind == "retry" else None,
            ttl_ms=options.ttl_ms,
            max_duration_ms=options.max_duration_ms,
            active_ms=self.active_ms,
            parent_id=self.parent_id,
            root_id=self.root_id,
            batch_id=self.batch_id,
            replay_of=options.replay_of,
            machine=options.machine,
            region=options.region,
            schedule_id=options.schedule_id,
            awaited=options.awaited,
            trace=options.trace,
            depth=self.depth,
            cancel_requested_at=self.cancel_at,
            payload_ref=self.payload_ref,
            output_ref=self.output_ref,
            change=self.change,
            streams=_texts.decode(self.streams) if self.streams else (),
        )
        if options.max_attempts is not None:
            run.max_attempts = options.max_attempts
        return run


class Runs:
    """See `mainspring.store.protocol.Runs`. A payload or output in the object store is left as its
    reference (`payload_ref`, `output_ref`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.observing = Observations(database)
        self.measuring = Measuring(database)
        self._logging = asyncio.Lock()

    async def get(self, shard_id: int, env_id: int, run_id: str) -> Run | None:
        found = await self.many(shard_id, [run_id])
        return found[0] if found and found[0].env_id == env_id else None

    async def many(self, shard_id: int, run_ids: Sequence[str]) -> list[Run]:
        return await self._assembled(shard_id, run_ids, whole=True)

    async def page(self, shard_id: int, env_id: int, filter: RunFilter) -> list[Run]:
        query = PageQuery(shard_id, env_id, filter)
        driver = await self._driver(query)
        if query.is_empty(driver):
            return []
        name, text = query.ids(driver)
        runs: list[Run] = []
        for _ in range(_TRIES):
            found = await self._composed(name, text, query, tuple[str])
            ids = sorted((run_id for (run_id,) in found), reverse=True)
            runs = await self.briefs(shard_id, ids)
            if len(runs) == len(ids):  # else some went meanwhile: a short page looks like the last
                break
        runs.sort(key=lambda run: run.id, reverse=True)
        return runs

    async def briefs(self, shard_id: int, run_ids: Sequence[str]) -> list[Run]:
        runs = await self._assembled(shard_id, run_ids, whole=False)
        for run in runs:
            if run.error is not None:
                run.error.stack = ""
        return runs

    async def latest(
        self, shard_id: int, env_id: int, tags: Sequence[str], batch_id: str | None, limit: int
    ) -> list[str]:
        values: dict[str, Any] = {"shard": shard_id, "env_id": env_id, "most": limit}
        name, rows = "runs_newest", [(tag,) for tag in tags]
        if batch_id is not None:
            name = "runs_of_batch"
            values["batch_id"] = batch_id
        elif tags:
            name = "runs_tagged"
            values |= {"tag": tags[0], "tags": len(tags), "among": _AMONG}
        found = await self._database.fetch(name, tuple[str], values, rows)
        return [run_id for (run_id,) in found]

    async def children(self, shard_id: int, parent_id: str, after: str, limit: int) -> list[str]:
        values = {"shard": shard_id, "parent_id": parent_id, "after": after, "most": limit}
        found = await self._database.fetch("runs_children", tuple[str], values)
        return [run_id for (run_id,) in found]

    async def documents(self, shard_id: int, run_ids: Sequence[str]) -> list[DocumentRow]:
        rows = [(run_id,) for run_id in run_ids]
        return await self._database.fetch("runs_documents", DocumentRow, {"shard": shard_id}, rows)

    async def append_logs(self, shard_id: int, lines: Sequence[LogLine]) -> None:
        if not lines:
            return
        counts: Counter[str] = Counter()
        rows = []
        for line in lines:
            counts[line.run_id] += 1
            at = counts[line.run_id]
            rows.append((at, line.run_id, line.at, line.level, line.message, line.data))
        async with self._logging:  # two batches of one run would count from the same line
            await self._append(shard_id, rows)

    async def logs(self, shard_id: int, run_id: str, after: int, limit: int) -> list[LogEntry]:
        values = {"shard": shard_id, "run_id": run_id, "after": after, "most": limit}
        found = await self._database.fetch(
            "log_page", tuple[int, int, str, str, str | None], values
        )
        return [LogEntry(*row) for row in found]

    async def trigger_later(self, shard_id: int, row: InboxRow) -> None:
        values = {"shard": shard_id, **msgspec.structs.asdict(row)}
        await self._database.write(("inbox_add", values, ()))

    async def _append(
        self, shard_id: int, rows: list[tuple[int, str, int, str, str, str | None]]
    ) -> None:
        for left in reversed(range(_TRIES)):
            try:
                await self._database.write(("log_append", {"shard": shard_id}, rows))
                return
            except CommitRejected:  # another server wrote lines of the same run just now
                if not left:
                    raise

    async def _assembled(self, shard_id: int, ids: Sequence[str], *, whole: bool) -> list[Run]:
        values = {"shard": shard_id, "whole": int(whole)}
        rows = await self._database.fetch("runs_many", _Row, values, [(id_,) for id_ in ids])
        return [row.run() for row in rows]

    async def _driver(self, query: PageQuery) -> str:
        """The most selective of the filter's indexes; counted only when there is a choice."""
        if len(query.drivers) == 1:
            return query.drivers[0]
        name, text = query.count()
        [counts] = await self._composed(name, text, query, tuple[int, ...])
        capped = [min(count, COUNTED) for count in counts]
        return query.drivers[capped.index(min(capped))]

    async def _composed(self, name: str, text: str, query: PageQuery, into: type[T]) -> list[T]:
        if name not in self._database.statements:
            self._database.statements.add(name, text)
        return await self._database.fetch(name, into, query.scalars)
