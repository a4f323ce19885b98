"""Series as they leave: for a collector of OpenTelemetry, and as Prometheus reads them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from mainspring.telemetry.book import Series
from mainspring.telemetry.cell import Cell
from mainspring.telemetry.measures import BY_NAME, Kind
from mainspring.telemetry.metrics import Sample
from mainspring.telemetry.spread import SCALE, ZERO

_LIVE: Final = frozenset({"queue.queued", "queue.running"})
"""What Prometheus is told as it is at that moment."""
_UNFIT: Final = re.compile("[^a-zA-Z0-9_]")


class MetricRecord(Struct):
    """One series with everything that it has seen from `began_at` to `at`, epoch ms."""

    name: str
    kind: Kind
    unit: str
    words: str
    labels: dict[str, str]
    began_at: int
    at: int
    cell: Cell


def record(series: Series, environment: str, now: int) -> MetricRecord:
    """The series of an environment. Our own have `mainspring.` before their names."""
    key = series.key
    own = BY_NAME.get(key.name)
    labels = {"environment": environment, **dict(key.labels)}
    name = key.name if own is None else f"mainspring.{key.name}"
    unit, words = (own.unit, own.words) if own is not None else ("", "Told by a program.")
    return MetricRecord(name, key.kind, unit, words, labels, series.began_at, now, series.ever)


def otlp(records: Iterable[MetricRecord]) -> list[dict[str, Any]]:
    """Metrics as the JSON of OTLP has them."""
    found: dict[str, dict[str, Any]] = {}
    for one in records:
        metric = found.get(one.name)
        if metric is None:
            metric = found[one.name] = {"name": one.name, "description": one.words}
            metric |= {"unit": one.unit} if one.unit else {}
        data = metric.setdefault(_DATA[one.kind], {"dataPoints": []})
        if one.kind != "gauge":
            data["aggregationTemporality"] = 2
        if one.kind == "counter":
            data["isMonotonic"] = True
        data["dataPoints"].append(_point(one))
    return list(found.values())


_DATA: Final = {"counter": "sum", "gauge": "gauge", "histogram": "exponentialHistogram"}


def _point(one: MetricRecord) -> dict[str, Any]:
    cell = one.cell
    point: dict[str, Any] = {
        "attributes": [
            {"key": name, "value": {"stringValue": text}} for name, text in one.labels.items()
        ],
        "startTimeUnixNano": f"{one.began_at}000000",
        "timeUnixNano": f"{one.at}000000",
    }
    if one.kind != "histogram":
        return point | {"asDouble": cell.total if one.kind == "counter" else cell.last}
    indexes = [index for index in cell.buckets if index != ZERO]
    low, high = min(indexes, default=0), max(indexes, default=-1)
    return point | {
        "count": str(cell.count),
        "sum": cell.total,
        "min": cell.low,
        "max": cell.high,
        "scale": SCALE,
        "zeroCount": str(cell.buckets.get(ZERO, 0)),
        "positive": {
            "offset": low,
            "bucketCounts": [str(cell.buckets.get(at, 0)) for at in range(low, high + 1)],
        },
    }


def samples(records: Iterable[MetricRecord]) -> list[Sample]:
    """The same as Prometheus reads it; of two names that it cannot tell apart the first one."""
    found: list[Sample] = []
    taken: dict[str, str] = {}
    for one in records:
        if one.name.removeprefix("mainspring.") in _LIVE and one.name.startswith("mainspring."):
            continue
        unit = f"_{one.unit}" if one.unit else ""
        name = _UNFIT.sub("_", one.name).removesuffix("_total") + unit
        name += "_total" if one.kind == "counter" else ""
        if taken.setdefault(name, one.name) == one.name:
            labels = tuple((_UNFIT.sub("_", label), text) for label, text in one.labels.items())
            value = one.cell.total if one.kind == "counter" else one.cell.last
            spread = one.cell if one.kind == "histogram" else None
            found.append(Sample(name, one.words, value, labels, spread))
    return found
