"""Runs that have ended, as finished spans for a collector. They leave beside the engine's work."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from mainspring.engine import spans
from mainspring.engine.owner import Owner
from mainspring.errors import MainspringError
from mainspring.model import tracing
from mainspring.model.redaction import Redaction
from mainspring.model.run import Run
from mainspring.store.changes import Row
from mainspring.store.measuring import SpanRow
from mainspring.telemetry.spans import Attributes, LineRecord, SpanRecord
from mainspring.wire.calls import LogEntry
from mainspring.wire.operating import Span

Send = Callable[[Sequence[SpanRecord], Sequence[LineRecord]], Awaitable[None]]
"""Takes them to the collector. Raises: OSError; they are lost then."""

WAITING: Final = 10_000
"""Runs that wait at most; what ends beyond is left out."""
AT_ONCE: Final = 100
SPANS: Final = 1_000
LINES: Final = 1_000
"""Spans and lines of one run that leave at most."""
STOP_S: Final = 5.0

log = logging.getLogger("mainspring.export")
_attributes: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Exporter:
    """Sends what happened in runs once they have ended, each once and at most once.

    A slow collector costs runs their spans, never time. `dropped` counts those.
    """

    def __init__(self, send: Send) -> None:
        self.dropped = 0
        self._send = send
        self._waiting: deque[tuple[Owner, str]] = deque()
        self._bell = asyncio.Event()
        self._stopping = False
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    def note(self, owner: Owner, rows: Sequence[Row]) -> None:
        """The runs of these rows of a commit's `done` have ended."""
        room = max(WAITING - len(self._waiting), 0)
        self._waiting.extend((owner, row[0]) for row in rows[:room])
        self.dropped += len(rows[room:])
        self._bell.set()

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name="exporter")

    async def stop(self) -> None:
        """Send what waits, for some seconds at most. Safe to call twice."""
        self._stopping = True
        self._bell.set()
        task, self._task = self._task, None
        if task is not None:
            _, late = await asyncio.wait([task], timeout=STOP_S)
            for one in late:
                one.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting or not self._stopping:
            await self._bell.wait()
            self._bell.clear()
            while self._waiting:
                await self._portion()

    async def _portion(self) -> None:
        owner = self._waiting[0][0]
        run_ids: list[str] = []
        while self._waiting and self._waiting[0][0] is owner and len(run_ids) < AT_ONCE:
            run_ids.append(self._waiting.popleft()[1])
        try:
            told, lines = await collected(owner, run_ids)
            if told:
                await self._send(told, lines)
        except (MainspringError, OSError) as error:
            self.dropped += len(run_ids)
            if not self._failing:
                log.warning("spans of runs are not exported until the collector answers: %s", error)
            self._failing = True
        else:
            self._failing = False


async def collected(
    owner: Owner, run_ids: Sequence[str]
) -> tuple[list[SpanRecord], list[LineRecord]]:
    """The spans and lines of these ended runs, as far as their callers' traces are sampled.

    Raises: StoreUnavailable.
    """
    await owner.write_lines()
    shard_id, runs = owner.state.shard_id, owner.store.runs
    found = await runs.briefs(shard_id, sorted(run_ids))
    parents = {run.parent_id for run in found if run.parent_id is not None}
    above = {run.id: run for run in await runs.briefs(shard_id, sorted(parents))} if parents else {}
    made: dict[str, str] = {}
    for parent in above.values():
        past = await owner.store.operations.past(shard_id, parent.id, SPANS)
        made |= spans.of_run(parent, past, ())[1]
    told: list[SpanRecord] = []
    lines: list[LineRecord] = []
    for run in found:
        if not tracing.is_sampled(run.trace) or run.finished_at is None:
            continue
        past = await owner.store.operations.past(shard_id, run.id, SPANS)
        own = spans.of_run(run, past, ())[0]
        own[0].parent_id = made.get(run.id) or _parent(run)
        programs = await owner.store.runs.measuring.spans(shard_id, [run.id], SPANS)
        spans_of_run = [_span(run, span) for span in own]
        spans_of_run += [_of_program(run, own, row) for row in programs]
        found_lines = await runs.logs(shard_id, run.id, 0, LINES)
        lines_of_run = [_line(run, own, line) for line in found_lines]
        redaction = await owner.variables.redaction(owner.state.environments[run.env_id])
        if redaction:
            _hide(redaction, spans_of_run, lines_of_run)
        told += spans_of_run
        lines += lines_of_run
    return told, lines


def _hide(redaction: Redaction, told: Sequence[SpanRecord], lines: Sequence[LineRecord]) -> None:
    """Take the secrets of the environment out."""
    for span in told:
        span.name = redaction.text(span.name)
        span.error = None if span.error is None else redaction.text(span.error)
        span.attributes = redaction.value(span.attributes)
    for line in lines:
        line.message = redaction.text(line.message)
        line.data = None if line.data is None else redaction.json(line.data)


def _parent(run: Run) -> str | None:
    if run.parent_id is not None:
        return tracing.span_id(run.parent_id)
    return None if run.trace is None else tracing.parent_span(run.trace)


def _span(run: Run, span: Span) -> SpanRecord:
    attributes = _of_run(run) | {"mainspring.kind": span.kind}
    if span.attempt:
        attributes["mainspring.attempt"] = span.attempt
    if span.kind == "run":
        attributes["mainspring.status"] = run.status.value
    told = run.error.message if span.kind == "run" and run.error is not None else ""
    told = told or next((event.message for event in span.events), "")
    return SpanRecord(
        spans.trace_id(run),
        span.id,
        span.parent_id,
        span.message,
        "consumer" if span.kind == "run" else "internal",
        span.started_at,
        max(span.ended_at or run.finished_at or span.started_at, span.started_at),
        attributes,
        told if span.is_error else None,
    )


def _of_program(run: Run, own: Sequence[Span], row: SpanRow) -> SpanRecord:
    """A span that a program made; those of other services keep their parents."""
    parent = row.parent_id or spans.around(own[0].id, own, row.started_at)
    attributes = _of_run(run) | {"mainspring.kind": spans.SPAN}
    for name, value in _attributes(row.attributes).items():
        is_plain = isinstance(value, str | int | bool | float)
        attributes[name] = value if is_plain else msgspec.json.encode(value).decode()
    return SpanRecord(
        spans.trace_id(run),
        row.span_id,
        parent,
        row.name,
        row.kind,
        row.started_at,
        row.ended_at,
        attributes,
        row.error,
    )


def _line(run: Run, own: Sequence[Span], line: LogEntry) -> LineRecord:
    span = spans.around(own[0].id, own, line.at)
    attributes = _of_run(run)
    return LineRecord(
        spans.trace_id(run), span, line.at, line.level, line.message, line.data, attributes
    )


def _of_run(run: Run) -> Attributes:
    told: Attributes = {"mainspring.run": run.id, "mainspring.task": run.task}
    if run.queue:
        told["mainspring.queue"] = run.queue
    if run.version:
        told["mainspring.version"] = run.version
    return told
