"""Traces as the public JSON shows them: a tree, pages of it, one span. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET, Raw, Struct, UnsetType

from mainspring.errors import CallerError
from mainspring.wire import pages
from mainspring.wire.moments import iso
from mainspring.wire.operating import Span, SpanEvent, Trace
from mainspring.wire.run_types import Word
from mainspring.wire.words import status_word

_NS: Final = 1_000_000


class ShownEvent(Struct):
    """A line that the run wrote."""

    time: str
    level: str
    name: str
    properties: Any = UNSET


class SpanData(Struct, rename="camel", kw_only=True):
    """`duration` is in nanoseconds, up to now for a span that goes on."""

    message: str
    task_slug: str | UnsetType = UNSET
    events: list[ShownEvent] | UnsetType = UNSET
    start_time: str
    duration: int
    is_error: bool
    is_partial: bool
    is_cancelled: bool
    level: str
    worker_version: str | UnsetType = UNSET
    queue_name: str | UnsetType = UNSET
    machine_preset: str | UnsetType = UNSET
    properties: dict[str, Any] | UnsetType = UNSET


class TreeSpan(Struct, rename="camel", kw_only=True):
    id: str
    parent_id: str | UnsetType = UNSET
    run_id: str
    data: SpanData
    children: list[TreeSpan]


class Tree(Struct, rename="camel"):
    trace_id: str
    root_span: TreeSpan
    truncated: bool | UnsetType = UNSET


class TraceAnswer(Struct):
    trace: Tree


class FlatSpan(Struct, rename="camel", kw_only=True):
    id: str
    parent_id: str | UnsetType = UNSET
    run_id: str
    message: str
    start_time: str
    duration: int
    is_error: bool
    is_partial: bool
    is_cancelled: bool
    level: str
    attempt_number: int | UnsetType = UNSET


class AttemptFailure(Struct, rename="camel"):
    span_id: str
    attempt_number: int
    run_id: str


class SpanPagination(Struct):
    next: str | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET


class SpanPage(Struct, rename="camel"):
    """Spans in the order of the tree; `attemptFailures` are those of the page."""

    data: list[FlatSpan]
    attempt_failures: list[AttemptFailure]
    pagination: SpanPagination


class TriggeredRun(Struct, rename="camel"):
    run_id: str
    task_identifier: str
    status: Word
    created_at: str


class SpanDetail(Struct, rename="camel", kw_only=True):
    """One span; `properties.output` is what its step gave, if it gave anything."""

    span_id: str
    parent_id: str | None
    run_id: str
    message: str
    is_error: bool
    is_partial: bool
    is_cancelled: bool
    level: str
    start_time: str
    duration_ms: int
    properties: dict[str, Any] | UnsetType = UNSET
    events: list[ShownEvent] | UnsetType = UNSET
    entity_type: str | UnsetType = UNSET
    triggered_runs: list[TriggeredRun] | UnsetType = UNSET


class TraceQuery(Struct, rename=lambda name: f"page[{name}]"):
    """With one of them the trace comes in pages: `{"data", "attemptFailures", "pagination"}`."""

    size: int | UnsetType = UNSET
    after: str | UnsetType = UNSET


def tree(found: Trace, now: int) -> dict[str, Any]:
    """The whole trace; `now` ends what still goes on."""
    nodes = {span.id: _node(span, now) for span in found.spans}
    for span in found.spans[1:]:
        nodes[span.parent_id or found.spans[0].id]["children"].append(nodes[span.id])
    shown: dict[str, Any] = {"traceId": found.trace_id, "rootSpan": nodes[found.spans[0].id]}
    if found.truncated:
        shown["truncated"] = True
    return {"trace": shown}


def is_paged(query: Mapping[str, str]) -> bool:
    """Whether a query asks for a page of a trace."""
    return "page[size]" in query or "page[after]" in query


def page(found: Trace, query: Mapping[str, str], now: int) -> dict[str, Any]:
    """One page of the spans, after the span that `page[after]` names. Raises: CallerError."""
    size = pages.whole(query, "page[size]", 1, pages.MOST, pages.SIZE)
    spans, first = _in_order(found), 0
    after = query.get("page[after]")
    if after:
        places = {span.id: at for at, span in enumerate(spans)}
        if after not in places:
            raise CallerError(f"page[after] is {after[:60]!r}, which is no span of this trace.")
        first = places[after] + 1
    rows = spans[first : first + size]
    pagination: dict[str, Any] = {}
    if first + size < len(spans):
        pagination["next"] = rows[-1].id
    elif found.truncated:
        pagination["truncated"] = True
    failures = [span for span in rows if span.kind == "attempt" and span.is_error]
    return {
        "data": [_flat(span, now) for span in rows],
        "attemptFailures": [
            {"spanId": span.id, "attemptNumber": span.attempt, "runId": span.run_id}
            for span in failures
        ],
        "pagination": pagination,
    }


def detail(found: Trace, now: int, version: str | None) -> dict[str, Any]:
    """One span, the first of the trace, with the runs made in it."""
    span, below = found.spans[0], found.spans[1:]
    shown: dict[str, Any] = {
        "spanId": span.id,
        "parentId": span.parent_id,
        "runId": span.run_id,
        "message": span.message,
        **_flags(span),
        "startTime": iso(span.started_at),
        "durationMs": _ms(span, now),
        "entityType": span.kind,
    }
    if span.data is not None:
        shown["properties"] = {"output": Raw(span.data.encode())}
    if span.events:
        shown["events"] = [_event(event) for event in span.events]
    made = [other for other in below if other.kind == "run" and other.status is not None]
    if made:
        shown["triggeredRuns"] = [
            {
                "runId": other.run_id,
                "taskIdentifier": other.task,
                "status": status_word(other.status, version) if other.status else "",
                "createdAt": iso(other.started_at),
            }
            for other in made
        ]
    return shown


def _in_order(found: Trace) -> list[Span]:
    """The spans as the tree has them, each followed by what is below it."""
    below: dict[str | None, list[Span]] = {}
    for span in found.spans[1:]:
        below.setdefault(span.parent_id, []).append(span)
    ordered: list[Span] = []
    left = [found.spans[0]]
    while left:
        span = left.pop()
        ordered.append(span)
        left += reversed(below.get(span.id, ()))
    return ordered


def _node(span: Span, now: int) -> dict[str, Any]:
    data: dict[str, Any] = {
        "message": span.message,
        "startTime": iso(span.started_at),
        "duration": _ms(span, now) * _NS,
        **_flags(span),
    }
    told = {
        "taskSlug": span.task,
        "queueName": span.queue,
        "workerVersion": span.version,
        "machinePreset": span.machine,
    }
    data |= {name: value for name, value in told.items() if value}
    data["properties"] = {"kind": span.kind}
    if span.attempt:
        data["properties"]["attempt"] = span.attempt
    if span.events:
        data["events"] = [_event(event) for event in span.events]
    return _placed(span, {"data": data, "children": []})


def _flat(span: Span, now: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "message": span.message,
        "startTime": iso(span.started_at),
        "duration": _ms(span, now) * _NS,
        **_flags(span),
    }
    if span.kind == "attempt":
        shown["attemptNumber"] = span.attempt
    return _placed(span, shown)


def _placed(span: Span, shown: dict[str, Any]) -> dict[str, Any]:
    place = {"id": span.id, "runId": span.run_id}
    if span.parent_id is not None:
        place["parentId"] = span.parent_id
    return place | shown


def _flags(span: Span) -> dict[str, Any]:
    return {
        "isError": span.is_error,
        "isPartial": span.ended_at is None,
        "isCancelled": span.is_canceled,
        "level": "ERROR" if span.is_error else span.level,
    }


def _event(event: SpanEvent) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "time": iso(event.at),
        "level": event.level,
        "name": event.message,
    }
    if event.data:
        shown["properties"] = Raw(event.data.encode())
    return shown


def _ms(span: Span, now: int) -> int:
    return max((now if span.ended_at is None else span.ended_at) - span.started_at, 0)
