"""OTLP over HTTP as JSON: spans and lines to a collector of OpenTelemetry. No queue, no repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx2

from mainspring.telemetry.records import MetricRecord, otlp
from mainspring.telemetry.spans import Attributes, LineRecord, SpanRecord

TIMEOUT_S: Final = 10.0
_KINDS: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_SEVERITY: Final = {"trace": 1, "debug": 5, "info": 9, "log": 9, "warn": 13, "error": 17}
_LONGEST: Final = 7
_SCOPE: Final = {"name": "mainspring"}


class Collector:
    """A collector at an address such as `http://127.0.0.1:4318`. `headers` are sent each time."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], service: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._resource = {"attributes": _attributes({"service.name": service})}
        self._http = httpx2.AsyncClient(headers=dict(headers), timeout=TIMEOUT_S)

    async def send(self, spans: Sequence[SpanRecord], lines: Sequence[LineRecord]) -> None:
        """Send them. Raises: ConnectionError; then they may or may not have arrived."""
        if spans:
            told = {"scope": _SCOPE, "spans": [_span(span) for span in spans]}
            scopes = {"resource": self._resource, "scopeSpans": [told]}
            await self._post("traces", {"resourceSpans": [scopes]})
        if lines:
            told = {"scope": _SCOPE, "logRecords": [_line(line) for line in lines]}
            scopes = {"resource": self._resource, "scopeLogs": [told]}
            await self._post("logs", {"resourceLogs": [scopes]})

    async def send_metrics(self, found: Sequence[MetricRecord]) -> None:
        """The same for metrics."""
        told = {"scope": _SCOPE, "metrics": otlp(found)}
        scopes = {"resource": self._resource, "scopeMetrics": [told]}
        await self._post("metrics", {"resourceMetrics": [scopes]})

    async def close(self) -> None:
        """Let go of connections. Safe to call twice."""
        await self._http.aclose()

    async def _post(self, what: str, body: dict[str, Any]) -> None:
        try:
            answer = await self._http.post(f"{self._endpoint}/v1/{what}", json=body)
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error


def headers(text: str) -> dict[str, str]:
    """Headers from `name=value,name=value`. Raises: ValueError for a part without `=`."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    bad = [name for name, sign, _ in pairs if not sign or not name]
    if bad:
        raise ValueError(f"{bad[0]!r} is no header; expected name=value,name=value.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _span(span: SpanRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": _nanos(span.started_at),
        "endTimeUnixNano": _nanos(span.ended_at),
        "attributes": _attributes(span.attributes),
        "status": {} if span.error is None else {"code": 2, "message": span.error},
    }
    if span.parent_id is not None:
        shown["parentSpanId"] = span.parent_id
    return shown


def _line(line: LineRecord) -> dict[str, Any]:
    level = line.level.lower()
    attributes = line.attributes | ({"data": line.data} if line.data else {})
    return {
        "traceId": line.trace_id,
        "spanId": line.span_id,
        "timeUnixNano": _nanos(line.at),
        "severityNumber": _SEVERITY.get(level, _SEVERITY.get(level[:4], 9)),
        "severityText": level[:_LONGEST].upper(),
        "body": {"stringValue": line.message},
        "attributes": _attributes(attributes),
    }


def _nanos(at: int) -> str:
    return f"{at}000000"


def _attributes(given: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in given.items()]


def _value(value: str | int | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
