"""What is measured and the spans of programs, as rows over the database port. No decisions.

Every coroutine may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from mainspring.store.database import Database

NAMES: Final = 500
"""Names of metrics that are listed of an environment at most."""


class MetricRow(Struct, array_like=True, gc=False):
    """What a series saw in one stretch of time; `labels` and `buckets` are JSON."""

    env_id: int
    step_ms: int
    name: str
    at: int
    labels: str
    part: int
    kind: str
    count: int
    total: float
    low: float
    high: float
    last: float
    buckets: str | None


class PointRow(Struct, array_like=True, gc=False):
    """The same as it is read, of one metric."""

    at: int
    labels: str
    part: int
    kind: str
    count: int
    total: float
    low: float
    high: float
    last: float
    buckets: str | None


class SpanRow(Struct, array_like=True, gc=False):
    """A span that a program made within a run; `attributes` is a JSON object, `cost` in millionths
    of a dollar. `model` is "" when it called none.
    """

    run_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    service: str
    started_at: int
    ended_at: int
    error: str | None = None
    attributes: str = "{}"
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0


class Usage(Struct, array_like=True):
    """Calls of models and what they took; `cost` is in millionths of a dollar."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: int


class _Place(Struct, array_like=True):
    """The key of a row of a metric."""

    env_id: int
    step_ms: int
    name: str
    at: int
    labels: str
    part: int


class Measuring:
    """Rows of metrics and spans. Writing is not fenced: each row has one writer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, shard_id: int, rows: Sequence[MetricRow]) -> None:
        """Write these rows, whole."""
        values = [_tuple(row) for row in rows]
        await self._database.write(("metric_set", {"shard": shard_id}, values))

    async def read(
        self, shard_id: int, env_id: int, step_ms: int, name: str, since: int, until: int, most: int
    ) -> list[PointRow]:
        """Rows of a metric in that time, the oldest first."""
        values = {
            "shard": shard_id,
            "env_id": env_id,
            "step_ms": step_ms,
            "name": name,
            "since": since,
            "until": until,
            "most": most,
        }
        return await self._database.fetch("metric_read", PointRow, values)

    async def names(self, shard_id: int, env_id: int, step_ms: int) -> list[tuple[str, str, str]]:
        """(name, kind, labels of one series) of each metric, by name."""
        found: list[tuple[str, str, str]] = []
        name = ""
        while len(found) < NAMES:
            values = {"shard": shard_id, "env_id": env_id, "step_ms": step_ms, "name": name}
            rows = await self._database.fetch("metric_after", tuple[str, str, str], values)
            if not rows:
                break
            found += rows
            name = rows[0][0]
        return found

    async def forget(self, shard_id: int, step_ms: int, before: int, most: int) -> int:
        """Delete rows of before then; how many there were, at most `most`."""
        values = {"shard": shard_id, "step_ms": step_ms, "before": before, "most": most}
        rows = await self._database.fetch("metric_past", _Place, values)
        if rows:
            await self._database.write(
                ("drop_metric", {"shard": shard_id}, [_tuple(row) for row in rows])
            )
        return len(rows)

    async def add_spans(self, shard_id: int, rows: Sequence[SpanRow]) -> None:
        """Store spans; those that are there already stay as they are."""
        values = [_tuple(row) for row in rows]
        await self._database.write(("span_add", {"shard": shard_id}, values))

    async def spans(self, shard_id: int, run_ids: Sequence[str], most: int) -> list[SpanRow]:
        """Spans of these runs, in any order."""
        rows = [(run_id,) for run_id in run_ids]
        values = {"shard": shard_id, "most": most}
        return await self._database.fetch("spans_of_runs", SpanRow, values, rows)

    async def span_counts(self, shard_id: int, run_ids: Sequence[str], most: int) -> dict[str, int]:
        """How many spans each run has, counted up to `most`."""
        rows = [(run_id,) for run_id in run_ids]
        values = {"shard": shard_id, "most": most}
        return dict(await self._database.fetch("spans_count", tuple[str, int], values, rows))

    async def callers(self, shard_id: int, env_id: int, trace_id: str, most: int) -> list[str]:
        """Runs that were triggered from within a trace, the newest first."""
        values = {"shard": shard_id, "env_id": env_id, "trace_id": trace_id, "most": most}
        found = await self._database.fetch("callers_of_trace", tuple[str], values)
        return [run_id for (run_id,) in found]

    async def usage(self, shard_id: int, run_id: str) -> Usage:
        """What a run has used of models."""
        values = {"shard": shard_id, "run_id": run_id}
        [found] = await self._database.fetch("spans_usage", Usage, values)
        return found


def _tuple(row: Struct) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in row.__struct_fields__)
