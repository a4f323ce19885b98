"""Spans and metrics that programs tell, on their way to the rows: checked, bounded, counted."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import msgspec

from mainspring.engine.measures import Measures
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.errors import StoreUnavailable
from mainspring.model.limits import LONGEST_MS
from mainspring.store.measuring import SpanRow
from mainspring.store.protocol import Store
from mainspring.telemetry.cell import Cell
from mainspring.telemetry.measures import Kind, label_problem, name_problem
from mainspring.wire.telling import ToldMetric, ToldSpan
from mainspring.wire.worker import LogLine, Told

WAITING: Final = 2_000
"""Spans that wait to be written at most."""
SPANS: Final = 1_000
"""Spans that a run keeps; calls of models count towards its usage beyond that."""
CALLS: Final = 10_000
NAME: Final = 200
ATTRIBUTES: Final = 32 * 1024
KINDS: Final = ("internal", "server", "client", "producer", "consumer")
_ID: Final = re.compile(r"[0-9a-f]{16}")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Tellings:
    """What the sessions of one shard have told and is not written yet.

    `take_lines` takes lines of other programs and says how many are too many.
    """

    def __init__(self, state: State, store: Store, measures: Measures) -> None:
        self._state = state
        self._store = store
        self._measures = measures
        self.take_lines: Callable[[int, list[LogLine]], int] = lambda env_id, lines: len(lines)
        self._waiting: list[tuple[int, SpanRow]] = []
        self._flushing = asyncio.Lock()

    def keep(self, session: Session, told: Told) -> None:
        """Take in what a worker tells; of spans only those of its own runs are written."""
        env_id = session.env_id
        self.measured(env_id, told.metrics, min(max(told.dropped, 0), 1 << 40))
        self.spans(env_id, told.spans)

    def measured(self, env_id: int, metrics: Sequence[ToldMetric], dropped: int = 0) -> int:
        """Add up what is measured; how much of it is kept."""
        measures = self._measures
        if not measures.on:
            return len(metrics)
        measures.turn(self._state.clock.now())
        kept = 0
        for metric in metrics:
            if _is_metric(metric):
                kind = cast(Kind, metric.kind)
                series = measures.book.series(env_id, metric.name, kind, metric.labels)
                if series is not None:
                    series.open.join(_cell(metric))
                    kept += 1
        dropped += len(metrics) - kept
        if dropped:
            measures.grow("telemetry.dropped", env_id, ("worker",), dropped)
        return kept

    def spans(self, env_id: int, spans: Sequence[ToldSpan]) -> int:
        """Have spans written; how many of them are as spans must be, and have room."""
        rows = [row for span in spans if (row := row_of(span)) is not None]
        rows = rows[: max(WAITING - len(self._waiting), 0)]
        self._waiting += [(env_id, row) for row in rows]
        self._drop(env_id, len(spans) - len(rows))
        return len(rows)

    @property
    def are_many(self) -> bool:
        """Whether it is time to write them."""
        return len(self._waiting) > WAITING // 4

    async def flush(self) -> None:
        """Write the spans of runs that are there and have room. Raises: StoreUnavailable."""
        async with self._flushing:
            waiting, self._waiting = self._waiting, []
            if not waiting:
                return
            try:
                await self._write(waiting)
            except StoreUnavailable:
                room = WAITING - len(self._waiting)
                self._waiting[:0] = waiting[:room]
                raise

    async def _write(self, waiting: list[tuple[int, SpanRow]]) -> None:
        shard_id, measuring = self._state.shard_id, self._store.runs.measuring
        ids = sorted({row.run_id for _, row in waiting})
        envs = {run.id: run.env_id for run in await self._store.runs.briefs(shard_id, ids)}
        counts = await measuring.span_counts(shard_id, ids, CALLS)
        rows: list[SpanRow] = []
        for env_id, row in waiting:
            count = counts.get(row.run_id, 0)
            most = CALLS if row.model else SPANS
            if envs.get(row.run_id) != env_id or count >= most:
                self._drop(env_id, 1)
                continue
            counts[row.run_id] = count + 1
            rows.append(row)
        if rows:
            await measuring.add_spans(shard_id, rows)

    def _drop(self, env_id: int, count: int) -> None:
        measures = self._measures
        if count and measures.on:
            measures.turn(self._state.clock.now())
            measures.grow("telemetry.dropped", env_id, ("span",), count)


def row_of(span: ToldSpan) -> SpanRow | None:
    """The span as it is stored; None when it is none."""
    ids = _ID.fullmatch(span.span_id) and (not span.parent_id or _ID.fullmatch(span.parent_id))
    times = 0 < span.started_at <= span.ended_at < LONGEST_MS
    if not ids or not times or span.kind not in KINDS or len(span.attributes) > ATTRIBUTES:
        return None
    try:
        attributes = _decode(_clean(span.attributes))
    except (msgspec.DecodeError, RecursionError):
        return None
    if not span.run_id.isascii() or "\0" in span.run_id:
        return None
    row = SpanRow(
        span.run_id,
        span.span_id,
        span.parent_id,
        _clean(span.name)[:NAME] or "span",
        span.kind,
        _clean(span.service)[:NAME],
        span.started_at,
        span.ended_at,
        None if span.error is None else _clean(span.error)[: 5 * NAME],
        _clean(span.attributes).replace("\\u0000", "\\ufffd"),
    )
    _use(row, attributes)
    return row


def _use(row: SpanRow, attributes: dict[str, Any]) -> None:
    """Count a call of a model, told in the words of OpenTelemetry."""
    model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
    if not isinstance(model, str) or not model:
        return
    row.model = _clean(model)[:NAME]
    row.input_tokens = _whole(attributes.get("gen_ai.usage.input_tokens"))
    row.output_tokens = _whole(attributes.get("gen_ai.usage.output_tokens"))
    row.cost = _whole(attributes.get("gen_ai.usage.cost"), 1_000_000)


def _whole(value: Any, unit: int = 1) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return 0
    return min(max(round(value * unit), 0), 1 << 45)


def _is_metric(metric: ToldMetric) -> bool:
    if metric.kind not in ("counter", "gauge", "histogram") or name_problem(metric.name):
        return False
    labels = tuple(pair for pair in metric.labels if pair[0] != "task")
    if len(metric.labels) > len(labels) + 1 or label_problem(labels):
        return False
    numbers = (metric.total, metric.low, metric.high, metric.last)
    counts = (metric.count, *metric.buckets.values())
    return (
        all(map(math.isfinite, numbers))
        and all(0 < count < 1 << 45 for count in counts)
        and len(metric.buckets) <= 1_000
        and all(-10_000 <= index <= 1_000 for index in metric.buckets)
        and sorted(metric.labels) == list(metric.labels)
        and (metric.kind != "counter" or metric.total >= 0)
    )


def _cell(metric: ToldMetric) -> Cell:
    cell = Cell()
    cell.count, cell.total, cell.last = metric.count, metric.total, metric.last
    cell.low, cell.high, cell.buckets = metric.low, metric.high, metric.buckets
    return cell


def _clean(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)
