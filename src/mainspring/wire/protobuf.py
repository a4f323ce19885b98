"""OTLP's protobuf as the values that its JSON form reads as. No meaning.

https://github.com/open-telemetry/opentelemetry-proto, 1.x; fields that are not named are skipped.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from mainspring.errors import CallerError

DEPTH: Final = 20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Schema = dict[int, tuple[str, str]]
"""By number: the name of a field, and what it is. `*` behind it: there may be many."""

MESSAGES: Final[dict[str, Schema]] = {
    "traces": {1: ("resourceSpans", "ResourceSpans*")},
    "ResourceSpans": {1: ("resource", "Resource"), 2: ("scopeSpans", "ScopeSpans*")},
    "ScopeSpans": {2: ("spans", "Span*")},
    "Span": {
        1: ("traceId", "hex"), 2: ("spanId", "hex"), 4: ("parentSpanId", "hex"),
        5: ("name", "text"), 6: ("kind", "int"), 7: ("startTimeUnixNano", "fixed64"),
        8: ("endTimeUnixNano", "fixed64"), 9: ("attributes", "KeyValue*"),
        15: ("status", "Status"),
    },
    "Status": {2: ("message", "text"), 3: ("code", "int")},
    "logs": {1: ("resourceLogs", "ResourceLogs*")},
    "ResourceLogs": {1: ("resource", "Resource"), 2: ("scopeLogs", "ScopeLogs*")},
    "ScopeLogs": {2: ("logRecords", "LogRecord*")},
    "LogRecord": {
        1: ("timeUnixNano", "fixed64"), 2: ("severityNumber", "int"), 3: ("severityText", "text"),
        5: ("body", "AnyValue"), 6: ("attributes", "KeyValue*"), 9: ("traceId", "hex"),
        10: ("spanId", "hex"), 11: ("observedTimeUnixNano", "fixed64"),
    },
    "metrics": {1: ("resourceMetrics", "ResourceMetrics*")},
    "ResourceMetrics": {1: ("resource", "Resource"), 2: ("scopeMetrics", "ScopeMetrics*")},
    "ScopeMetrics": {2: ("metrics", "Metric*")},
    "Metric": {
        1: ("name", "text"), 3: ("unit", "text"), 5: ("gauge", "Points"), 7: ("sum", "Points"),
        9: ("histogram", "Histogram"),
    },
    "Points": {
        1: ("dataPoints", "Point*"), 2: ("aggregationTemporality", "int"),
        3: ("isMonotonic", "bool"),
    },
    "Point": {
        3: ("timeUnixNano", "fixed64"), 4: ("asDouble", "double"), 6: ("asInt", "sfixed64"),
        7: ("attributes", "KeyValue*"),
    },
    "Histogram": {1: ("dataPoints", "Spread*"), 2: ("aggregationTemporality", "int")},
    "Spread": {
        3: ("timeUnixNano", "fixed64"), 4: ("count", "fixed64"), 5: ("sum", "double"),
        6: ("bucketCounts", "fixed64s"), 7: ("explicitBounds", "doubles"),
        9: ("attributes", "KeyValue*"), 11: ("min", "double"), 12: ("max", "double"),
    },
    "Resource": {1: ("attributes", "KeyValue*")},
    "KeyValue": {1: ("key", "text"), 2: ("value", "AnyValue")},
    "AnyValue": {
        1: ("stringValue", "text"), 2: ("boolValue", "bool"), 3: ("intValue", "int64"),
        4: ("doubleValue", "double"), 5: ("arrayValue", "Array"), 6: ("kvlistValue", "Pairs"),
        7: ("bytesValue", "hex"),
    },
    "Array": {1: ("values", "AnyValue*")},
    "Pairs": {1: ("values", "KeyValue*")},
}  # fmt: skip


def read(data: bytes, what: str) -> dict[str, Any]:
    """A request of `traces`, `logs` or `metrics`. Raises: CallerError for other bytes."""
    try:
        return _message(memoryview(data), MESSAGES[what], 0)
    except (IndexError, ValueError, struct.error) as error:
        raise CallerError(f"The body is no OTLP {what} in protobuf: {error}.") from error


def partial(rejected: int, words: str) -> bytes:
    """The answer to a request of which so many items were not taken; empty for none."""
    if not rejected:
        return b""
    text = words.encode()
    inner = b"\x08" + _varint(rejected) + b"\x12" + _varint(len(text)) + text
    return b"\x0a" + _varint(len(inner)) + inner


def _message(data: memoryview, schema: Schema, depth: int) -> dict[str, Any]:
    if depth > DEPTH:
        raise ValueError("it is nested too deeply")
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        value: int | memoryview
        wire = tag & 7
        if wire == _VARINT:
            value, at = _number(data, at)
        else:
            size = 8 if wire == _FIXED64 else 4
            if wire == _BYTES:
                size, at = _number(data, at)
            elif wire not in (_FIXED64, _FIXED32):
                raise ValueError(f"a field has the wire type {wire}")
            if at + size > len(data):
                raise ValueError("it ends early")
            value, at = data[at : at + size], at + size
        known = schema.get(tag >> 3)
        if known is not None:
            name, kind = known
            if kind.endswith("*"):
                found.setdefault(name, []).append(_value(value, kind[:-1], depth))
            else:
                found[name] = _value(value, kind, depth)
    return found


def _value(value: int | memoryview, kind: str, depth: int) -> Any:
    if isinstance(value, int):
        if kind == "bool":
            return bool(value)
        if kind == "int64":
            return value - (1 << 64) if value >> 63 else value
        if kind != "int":
            raise ValueError(f"a number stands where {kind} is expected")
        return value
    if kind in MESSAGES:
        return _message(value, MESSAGES[kind], depth + 1)
    match kind:
        case "text":
            return str(value, "utf-8", "replace")
        case "hex":
            return value.hex()
        case "fixed64" | "sfixed64":
            return struct.unpack("<Q" if kind == "fixed64" else "<q", value)[0]
        case "double":
            return struct.unpack("<d", value)[0]
        case "fixed64s" | "doubles":
            letter = "Q" if kind == "fixed64s" else "d"
            return list(struct.unpack(f"<{len(value) // 8}{letter}", value))
        case _:
            raise ValueError(f"bytes stand where {kind} is expected")


def _number(data: memoryview, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found & ((1 << 64) - 1), at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])
