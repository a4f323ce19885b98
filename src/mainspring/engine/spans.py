"""What happened in one run, as spans: the run, its attempts, its journal, its open waits. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from mainspring.model import tracing
from mainspring.model.run import Run, RunError, Status
from mainspring.model.tracing import attempt_key, span_id
from mainspring.store.measuring import SpanRow
from mainspring.store.operating import PastRow
from mainspring.store.waiting import EdgeRow
from mainspring.wire.calls import LogEntry
from mainspring.wire.operating import Span, SpanEvent

LOST: Final = "lost"
ATTEMPT: Final = "attempt"
SPAN: Final = "span"
DIVERGED: Final = "diverged"

_error: Final = msgspec.json.Decoder(RunError).decode
_made: Final = msgspec.json.Decoder(list[tuple[str, bool]]).decode


def trace_id(run: Run) -> str:
    """The id of the trace that a run is in: that of its caller, or of its root."""
    return tracing.trace_id(run.trace, run.root_id or run.id)


def of_run(
    run: Run, past: Sequence[PastRow], edges: Sequence[EdgeRow]
) -> tuple[list[Span], dict[str, str]]:
    """(spans of the run, its own first, each after its parent; child run → span that made it).

    Whose parent is in another run has none yet.
    """
    own = Span(
        span_id(run.id),
        run.id,
        "run",
        run.task,
        run.created_at,
        ended_at=run.finished_at,
        is_error=run.status.is_final and run.status not in (Status.COMPLETED, Status.CANCELED),
        is_canceled=run.status is Status.CANCELED,
        attempt=run.attempt,
        status=run.status,
        task=run.task,
        queue=run.queue,
        version=run.version,
        machine=run.machine,
    )
    paused = next((edge for edge in edges if edge.kind == DIVERGED), None)
    tries = _attempts(run, past)
    if paused is not None and tries:
        tries[-1].ended_at = tries[-1].ended_at or paused.created_at
    entries = [row for row in past if not row.key.startswith("!")]
    known = {row.key for row in entries}
    spans = [(row.seq, _entry(run, row, tries)) for row in entries]
    spans += [(edge.seq, _wait(run, edge, tries)) for edge in _first(edges, known)]
    if paused is not None:
        spans.append((paused.seq, _pause(run, paused)))
    spans += [(row.seq, _loss(run, row, tries)) for row in past if row.kind == LOST]
    spans.sort(key=lambda pair: (pair[1].started_at, pair[0], pair[1].id))
    made = {
        child: span_id(run.id, row.key, row.generation)
        for row in entries
        if row.kind == "trigger" and row.data
        for child, _ in _made(row.data)
    }
    return [own, *tries, *(span for _, span in spans)], made


def told(own: Sequence[Span], rows: Sequence[SpanRow]) -> list[Span]:
    """The spans that programs made within a run, each after its parent. One whose parent is not
    known stands in the attempt in which it began. `own` are those of the run, its own first.
    """
    known = {span.id for span in own}
    waiting = sorted(rows, key=lambda row: (row.started_at, row.ended_at, row.span_id))
    placed: list[SpanRow] = []
    below: dict[str, list[SpanRow]] = {}
    ids = {row.span_id for row in waiting} - known
    for row in waiting:
        if row.parent_id in ids and row.parent_id != row.span_id:
            below.setdefault(row.parent_id, []).append(row)
        elif row.span_id in ids:
            placed.append(row)
    found = [_told(own, known, row) for row in placed]
    for row in placed:  # grows meanwhile
        for child in below.pop(row.span_id, ()):
            placed.append(child)
            found.append(_told(own, ids, child))
    return found


def _told(own: Sequence[Span], known: Collection[str], row: SpanRow) -> Span:
    parent = row.parent_id
    if parent not in known:
        parent = around(own[0].id, own, row.started_at)
    span = Span(
        row.span_id,
        row.run_id,
        SPAN,
        row.name,
        row.started_at,
        parent,
        row.ended_at,
        row.error is not None,
        data=row.attributes if row.attributes != "{}" else None,
    )
    if row.error:
        span.events.append(SpanEvent(row.ended_at, "error", row.error))
    return span


def around(own: str, tries: Sequence[Span], at: int) -> str:
    """The span of a run within which that moment lies: an attempt, or `own`, the run's."""
    found = [one for one in tries if one.kind == ATTEMPT and one.started_at <= at]
    return found[-1].id if found else own


def add_lines(spans: Sequence[Span], lines: Sequence[LogEntry]) -> None:
    """Put what the run wrote to the spans in which it wrote it."""
    by_id = {span.id: span for span in spans}
    for line in lines:
        span = by_id[around(spans[0].id, spans, line.at)]
        span.events.append(SpanEvent(line.at, line.level, line.message, line.data))


def chosen(spans: Sequence[Span], wanted: str) -> list[Span]:
    """The span of that id and those directly below it; nothing when there is none."""
    found = [span for span in spans if span.id == wanted]
    return found + [span for span in spans if span.parent_id == wanted] if found else []


def _attempts(run: Run, past: Sequence[PastRow]) -> list[Span]:
    """Each attempt that began. Where one begins after another is known by what it did first."""
    notes = sorted((row for row in past if row.kind == ATTEMPT), key=lambda row: row.seq)
    spans = [
        _attempt(run, row.seq, row.started_at, row.ended_at, _message(row), failed=True)
        for row in notes
    ]
    if run.started_at is None or run.retry_at is not None or run.status is Status.DELAYED:
        return spans
    since = notes[-1].ended_at or 0 if notes else run.started_at
    began = [row.started_at for row in past if row.started_at > since and row.kind != ATTEMPT]
    failed = run.status.is_final and run.status not in (Status.COMPLETED, Status.CANCELED)
    told = run.error.message if run.error is not None else ""
    start = run.started_at if not notes else min(began, default=since + 1)
    last = _attempt(run, run.attempt, start, run.finished_at, told, failed=failed)
    last.is_canceled = run.status is Status.CANCELED
    return [*spans, last]


def _attempt(
    run: Run, number: int, start: int, end: int | None, told: str, *, failed: bool
) -> Span:
    span = Span(
        span_id(run.id, attempt_key(number)),
        run.id,
        ATTEMPT,
        f"Attempt {number}",
        start,
        span_id(run.id),
        end,
        failed,
        attempt=number,
    )
    if told:
        span.events.append(SpanEvent(end or start, "error", told))
    return span


def _entry(run: Run, row: PastRow, tries: Sequence[Span]) -> Span:
    start = row.started_at or run.started_at or run.created_at
    return Span(
        span_id(run.id, row.key, row.generation),
        run.id,
        row.kind,
        row.key,
        start,
        around(span_id(run.id), tries, start),
        row.ended_at or start,
        row.status in ("failed", "timed_out"),
        key=row.key,
        generation=row.generation,
    )


def _wait(run: Run, edge: EdgeRow, tries: Sequence[Span]) -> Span:
    over = run.finished_at if run.status.is_final else None
    return Span(
        span_id(run.id, edge.key, edge.generation),
        run.id,
        edge.kind,
        edge.key,
        edge.created_at,
        around(span_id(run.id), tries, edge.created_at),
        over,
        key=edge.key,
        generation=edge.generation,
    )


def _pause(run: Run, edge: EdgeRow) -> Span:
    """The time since the run has been waiting for a decision; the attempt before it has ended."""
    message = _error(edge.data).message if edge.data else "The code diverged."
    return Span(
        span_id(run.id, f"!{DIVERGED}:{edge.key}", edge.generation),
        run.id,
        DIVERGED,
        edge.key or DIVERGED,
        edge.created_at,
        span_id(run.id),
        level="WARN",
        events=[SpanEvent(edge.created_at, "error", message)],
    )


def _loss(run: Run, row: PastRow, tries: Sequence[Span]) -> Span:
    at = row.ended_at or row.started_at
    return Span(
        span_id(run.id, row.key),
        run.id,
        LOST,
        _message(row),
        row.started_at,
        around(span_id(run.id), tries, row.started_at),
        at,
        is_error=True,
        level="WARN",
        key=row.key,
    )


def _message(row: PastRow) -> str:
    return _error(row.data).message if row.data else row.kind


def _first(edges: Sequence[EdgeRow], known: Collection[str]) -> Iterable[EdgeRow]:
    """One edge of each open wait that the journal does not have."""
    open_ = [edge for edge in edges if edge.key not in known and edge.kind != DIVERGED]
    return {edge.key: edge for edge in open_}.values()
