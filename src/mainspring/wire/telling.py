"""What programs tell of themselves: spans and metrics, from workers and by OTLP. No decisions."""

from __future__ import annotations

from msgspec import Struct


class ToldSpan(Struct, array_like=True, gc=False):
    """A span that has ended; times are epoch ms, `attributes` a JSON object. `error` None = it did
    not fail. `service` is who made it, "" for the task itself.
    """

    run_id: str
    span_id: str
    parent_id: str
    name: str
    started_at: int
    ended_at: int
    error: str | None = None
    attributes: str = "{}"
    kind: str = "internal"
    service: str = ""


class ToldMetric(Struct, array_like=True, gc=False):
    """What one series has seen since it was told last. `kind`: counter, gauge, histogram; `labels`
    are sorted by name; `buckets` are those of `telemetry.spread`.
    """

    kind: str
    name: str
    labels: tuple[tuple[str, str], ...]
    count: int
    total: float
    low: float
    high: float
    last: float
    buckets: dict[int, int] = {}
