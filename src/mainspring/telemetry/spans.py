"""Finished spans and lines as they leave for a collector. No transport, no runs."""

from __future__ import annotations

from msgspec import Struct

Attributes = dict[str, str | int | float | bool]


class SpanRecord(Struct):
    """A span with its W3C ids; times are epoch ms. `error` None = it did not fail."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    started_at: int
    ended_at: int
    attributes: Attributes
    error: str | None = None


class LineRecord(Struct):
    """A line that was written within a span. `data` is JSON text."""

    trace_id: str
    span_id: str
    at: int
    level: str
    message: str
    data: str | None
    attributes: Attributes
