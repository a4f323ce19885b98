"""What other programs tell by OTLP, as our spans, lines and metrics. Whose they are, others find.

https://opentelemetry.io/docs/specs/otlp/ 1.x, in the form that its JSON reads as.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mainspring.telemetry.cell import Cell
from mainspring.telemetry.measures import Labels
from mainspring.wire.measuring import GivenLine, GivenSpan, TakeTelemetry
from mainspring.wire.telling import ToldMetric, ToldSpan

MOST: Final = 2_000
"""Items of one request; further ones are not taken."""
NAME: Final = 200
LABEL: Final = 128
DELTA: Final = (1, "AGGREGATION_TEMPORALITY_DELTA")
RUN: Final = "mainspring.run"
"""The attribute of a resource that names the run, where the trace alone does not."""
_KINDS: Final = ("internal", "internal", "server", "client", "producer", "consumer")

Fields = dict[str, Any]
_BAD: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError)
"""What values of other forms than OTLP's raise where they are read."""


def taken(what: str, body: Any) -> tuple[TakeTelemetry, int, str]:
    """(what there is to take, how many items there are that cannot be taken, and why)."""
    found = TakeTelemetry()
    rejected, words = 0, ""
    for count, (resource, item) in enumerate(_items(what, body)):
        if count >= MOST:
            rejected, words = rejected + 1, f"a request takes {MOST:,} items at most"
            continue
        try:
            problem = _TAKE[what](found, resource, item)
        except _BAD:
            problem = "an item is not as OTLP has it"
        if problem:
            rejected, words = rejected + 1, problem
    return found, rejected, words


def _items(what: str, body: Any) -> Iterator[tuple[Fields, Any]]:
    one = {"traces": "Spans", "logs": "Logs", "metrics": "Metrics"}[what]
    last = {"traces": "spans", "logs": "logRecords", "metrics": "metrics"}[what]
    for group in _list(body, f"resource{one}"):
        resource = _resource(group)
        for scope in _list(group, f"scope{one}"):
            for item in _list(scope, last):
                yield resource, item


def _resource(group: Any) -> Fields:
    try:
        return _plain(_list(_dict(group.get("resource")), "attributes"))
    except _BAD:
        return {}


def _span(found: TakeTelemetry, resource: Fields, item: Fields) -> str:
    status = _dict(item.get("status"))
    failed = status.get("code") in (2, "STATUS_CODE_ERROR")
    kind = item.get("kind", 1)
    span = ToldSpan(
        "",
        str(item["spanId"]).lower(),
        str(item.get("parentSpanId") or "").lower(),
        str(item.get("name", ""))[:NAME],
        _ms(item["startTimeUnixNano"]),
        _ms(item["endTimeUnixNano"]),
        str(status.get("message") or "It failed.")[: 5 * NAME] if failed else None,
        _json(_plain(_list(item, "attributes"))),
        _KINDS[kind] if isinstance(kind, int) and 0 <= kind < len(_KINDS) else "internal",
        str(resource.get("service.name", "unknown_service"))[:NAME],
    )
    found.spans.append(GivenSpan(str(item["traceId"]).lower(), span, _run(resource)))
    return ""


def _line(found: TakeTelemetry, resource: Fields, item: Fields) -> str:
    at = _ms(item.get("timeUnixNano") or 0) or _ms(item.get("observedTimeUnixNano") or 0)
    body = _value(_dict(item.get("body")))
    attributes = _plain(_list(item, "attributes"))
    if "service.name" in resource:
        attributes["service"] = resource["service.name"]
    number = int(item.get("severityNumber") or 9)
    level = ("debug", "info", "warning", "error")[(number > 8) + (number > 12) + (number > 16)]
    text = body if isinstance(body, str) else _json(body)
    line = GivenLine(
        str(item.get("traceId") or "").lower(), at, level, text, _json(attributes), _run(resource)
    )
    line.span_id = str(item.get("spanId") or "").lower()
    found.lines.append(line)
    return ""


def _metric(found: TakeTelemetry, resource: Fields, item: Fields) -> str:
    name = str(item["name"])
    for kind, key in (("gauge", "gauge"), ("counter", "sum"), ("histogram", "histogram")):
        data = item.get(key)
        if data is None:
            continue
        delta = data.get("aggregationTemporality") in DELTA
        if kind == "counter" and not data.get("isMonotonic"):
            kind = "gauge" if not delta else ""
        elif kind != "gauge" and not delta:
            kind = ""
        if not kind:
            return (
                "sums and histograms are taken with the temporality delta; set "
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta"
            )
        for point in _list(data, "dataPoints")[:MOST]:
            cell = _spread(point) if kind == "histogram" else _number(point, kind)
            if cell.count:
                labels = _labels(resource, _plain(_list(point, "attributes")))
                found.metrics.append(
                    ToldMetric(
                        kind,
                        name,
                        labels,
                        cell.count,
                        cell.total,
                        cell.low,
                        cell.high,
                        cell.last,
                        cell.buckets,
                    )
                )
        return ""
    return "a metric is neither gauge, sum nor histogram"


_TAKE: Final = {"traces": _span, "logs": _line, "metrics": _metric}


def _number(point: Fields, kind: str) -> Cell:
    value = float(point["asDouble"]) if "asDouble" in point else float(int(point["asInt"]))
    cell = Cell()
    if math.isfinite(value):
        (cell.see if kind == "gauge" else cell.grow)(value)
    return cell


def _spread(point: Fields) -> Cell:
    """The middle of each bucket stands for its values."""
    counts = [int(count) for count in point.get("bucketCounts", ())]
    bounds = [float(bound) for bound in point.get("explicitBounds", ())]
    cell = Cell()
    low = float(point.get("min", bounds[0] if bounds else 0))
    high = float(point.get("max", bounds[-1] if bounds else 0))
    edges = [low, *bounds, high]
    for number, count in enumerate(counts[: len(bounds) + 1]):
        if count > 0:
            below, above = max(edges[number], low), min(edges[number + 1], high)
            cell.spread((below + max(above, below)) / 2, count)
    if cell.count and "sum" in point:
        cell.total = float(point["sum"])
    return cell


def _labels(resource: Fields, attributes: Fields) -> Labels:
    named = {str(name): str(value)[:LABEL] for name, value in attributes.items()}
    if "service.name" in resource:
        named.setdefault("service.name", str(resource["service.name"])[:LABEL])
    named.pop("task", None)
    return tuple(sorted(named.items()))


def _run(resource: Fields) -> str:
    return str(resource.get(RUN, ""))[:NAME]


def _plain(pairs: list[Any]) -> Fields:
    return {str(pair["key"]): _value(_dict(pair.get("value"))) for pair in pairs}


def _value(value: Fields) -> Any:
    for kind, found in value.items():
        match kind:
            case "intValue":
                return int(found)
            case "doubleValue":
                return float(found) if math.isfinite(float(found)) else str(found)
            case "arrayValue":
                return [_value(_dict(one)) for one in _list(found, "values")]
            case "kvlistValue":
                return _plain(_list(found, "values"))
            case "stringValue" | "boolValue" | "bytesValue":
                return found
            case _:
                continue
    return None


def _ms(nanos: Any) -> int:
    return int(nanos) // 1_000_000


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _dict(value: Any) -> Fields:
    return value if isinstance(value, dict) else {}


def _list(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []
