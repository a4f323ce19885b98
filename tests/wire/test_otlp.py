"""What other programs tell by OTLP: as their SDK sends it, as JSON, and as it never should be."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import msgspec
import pytest

from mainspring.errors import CallerError
from mainspring.wire import otlp, protobuf
from mainspring.wire.measuring import TakeTelemetry
from tests.wire.otlp_samples import CUMULATIVE, LOGS, METRICS, TRACES

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def read(data: bytes, what: str) -> tuple[TakeTelemetry, int, str]:
    return otlp.taken(what, protobuf.read(data, what))


def test_spans_of_the_official_sdk_are_read() -> None:
    found, rejected, _ = read(TRACES, "traces")
    [given] = found.spans
    span = given.span
    assert (rejected, given.trace_id, span.parent_id) == (0, TRACE, "00f067aa0ba902b7")
    assert (span.name, span.kind, span.service, span.error) == (
        "GET /card", "client", "shop", "ValueError: no card",
    )  # fmt: skip
    attributes = msgspec.json.decode(span.attributes)
    assert (attributes["n"], attributes["f"], attributes["ok"]) == (-7, 1.5, True)
    assert attributes["list"] == ["a", "b"]
    assert 0 <= span.ended_at - span.started_at < 60_000


def test_lines_of_the_official_sdk_are_read() -> None:
    [line] = read(LOGS, "logs")[0].lines
    assert (line.trace_id, line.span_id) == (TRACE, "00f067aa0ba902b7")
    assert (line.level, line.message) == ("warning", "card 7 worn")
    assert msgspec.json.decode(line.data)["cents"] == 5


def test_metrics_of_the_official_sdk_are_read_when_they_tell_of_growth() -> None:
    found = {one.name: one for one in read(METRICS, "metrics")[0].metrics}
    assert found["orders.paid"].total == 3
    assert found["orders.paid"].labels == (("card", "visa"), ("service.name", "shop"))
    assert (found["shelf.level"].kind, found["shelf.level"].last) == ("gauge", 2.5)
    assert (found["order.cents"].count, found["order.cents"].total) == (3, 9_600)
    found_, rejected, words = read(CUMULATIVE, "metrics")
    assert [one.name for one in found_.metrics] == ["shelf.level"]
    assert rejected == 2
    assert "TEMPORALITY_PREFERENCE=delta" in words


def test_json_reads_as_protobuf_does() -> None:
    body = {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": [{"key": "mainspring.run", "value": {"stringValue": "run_1"}}]
                },
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": TRACE.upper(),
                                "spanId": "A" * 16,
                                "name": "x",
                                "startTimeUnixNano": "1700000000000000000",
                                "endTimeUnixNano": "1700000000005000000",
                                "attributes": [{"key": "n", "value": {"intValue": "7"}}],
                            }
                        ]
                    }
                ],
            }
        ]
    }
    [given] = otlp.taken("traces", body)[0].spans
    assert (given.trace_id, given.run_id, given.span.span_id) == (TRACE, "run_1", "a" * 16)
    assert (given.span.ended_at - given.span.started_at, given.span.attributes) == (5, '{"n":7}')


@pytest.mark.parametrize(
    "body",
    [
        {"resourceSpans": [{"scopeSpans": [{"spans": [7, {}, {"spanId": 5}, None]}]}]},
        {"resourceSpans": 7},
        {"resourceSpans": [{"scopeSpans": {"spans": []}}, 7, None]},
        {"resourceSpans": [{"resource": [], "scopeSpans": [{"spans": [{"attributes": {}}]}]}]},
        [],
    ],
)
def test_items_that_are_none_are_counted_and_passed_over(body: Any) -> None:
    found, rejected, words = otlp.taken("traces", body)
    assert not found.spans
    assert bool(words) == bool(rejected)


def test_a_request_takes_so_many_items_and_no_more() -> None:
    scope = {"spans": [{"spanId": "1" * 16}] * (otlp.MOST + 5)}
    _, rejected, words = otlp.taken("traces", {"resourceSpans": [{"scopeSpans": [scope]}]})
    assert rejected == otlp.MOST + 5  # none of them has its times
    assert "2,000" in words


def test_bytes_that_are_no_protobuf_are_refused_and_nothing_else_happens() -> None:
    chance = random.Random(7)
    for sample, what in ((TRACES, "traces"), (LOGS, "logs"), (METRICS, "metrics")):
        for _ in range(300):
            broken = bytearray(sample)
            for _ in range(chance.randrange(1, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            with contextlib.suppress(CallerError):
                read(bytes(broken[: chance.randrange(len(broken))]), what)
    with pytest.raises(CallerError):
        protobuf.read(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "traces")


def test_what_was_not_taken_is_told_in_protobuf() -> None:
    assert protobuf.partial(0, "") == b""
    assert protobuf.partial(300, "no") == b"\x0a\x07\x08\xac\x02\x12\x02no"
