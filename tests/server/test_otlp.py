"""Other programs tell of runs by OTLP over HTTP, and Prometheus reads what is counted."""

from __future__ import annotations

import gzip
from typing import Any

from mainspring.server.api import otlp
from mainspring.wire import protobuf
from mainspring.wire.worker import Execute
from tests.server.test_whole import Whole, make_store, whole
from tests.wire.otlp_samples import CUMULATIVE, LOGS, METRICS, TRACES

__all__ = ["make_store", "whole"]
CALLED = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
PROTOBUF = {"content-type": otlp.PROTOBUF}


async def called(whole: Whole) -> str:
    """A run whose caller is in the trace of the samples, and which executes."""
    worker = await whole.worker()
    made = await whole.client.post("/api/v1/tasks/work/trigger", json={}, headers=CALLED)
    await worker.next(Execute)
    return str(made.json()["id"])


async def tell(whole: Whole, what: str, body: bytes, **headers: str) -> Any:
    return await whole.client.post(
        f"/otel/v1/{what}", content=body, headers=PROTOBUF | headers, timeout=10
    )


async def test_spans_and_lines_of_the_official_sdk_land_in_the_run_of_their_trace(
    whole: Whole,
) -> None:
    run_id = await called(whole)
    answer = await tell(whole, "traces", TRACES)
    assert (answer.status_code, answer.content) == (200, b"")
    packed = gzip.compress(LOGS)
    answer = await tell(whole, "logs", packed, **{"content-encoding": "gzip"})
    assert (answer.status_code, answer.content) == (200, b"")
    lines = await whole.get(f"/api/mainspring/v1/runs/{run_id}/logs")
    assert [line["message"] for line in lines["data"]] == ["card 7 worn"]
    trace = await whole.get(f"/api/v1/runs/{run_id}/trace?page[size]=100")
    assert "GET /card" in [span["message"] for span in trace["data"]]


async def test_metrics_are_kept_and_prometheus_reads_them(whole: Whole) -> None:
    await called(whole)
    assert (await tell(whole, "metrics", METRICS)).content == b""
    partial = await tell(whole, "metrics", CUMULATIVE)
    assert b"TEMPORALITY_PREFERENCE=delta" in partial.content
    found = await whole.get("/api/mainspring/v1/metrics/orders.paid?by=card,service.name")
    assert found["series"][0]["labels"] == {"card": "visa", "service.name": "shop"}
    text = (await whole.client.get("/metrics")).text
    assert 'orders_paid_total{environment="dev",card="visa",service_name="shop"} 3' in text
    assert 'order_cents_bucket{environment="dev",service_name="shop",le="+Inf"} 3' in text
    started = 'mainspring_runs_started_total{environment="dev",queue="task/work",task="work"} 1'
    assert started in text
    assert (
        'mainspring_runs_wait_ms_count{environment="dev",queue="task/work",task="work"} 1' in text
    )


async def test_what_names_no_run_is_not_taken_and_said(whole: Whole) -> None:
    await whole.worker()
    answer = await tell(whole, "traces", TRACES)
    words = "no run of this environment is in that trace"
    assert answer.content == protobuf.partial(1, words)
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": 1}]}]}]}
    told = await whole.client.post("/otel/v1/traces", json=body)
    assert told.json()["partialSuccess"]["rejectedSpans"] == "1"


async def test_who_has_no_key_and_what_is_no_otlp_is_refused(whole: Whole) -> None:
    answer = await tell(whole, "traces", TRACES, authorization="Bearer nobody")
    assert answer.status_code == 401
    bomb = gzip.compress(b"\0" * 50_000_000)
    for body, headers, status in (
        (b"\xff" * 20, {}, 400),
        (b"{}", {"content-type": "text/plain"}, 400),
        (b"[]", {"content-type": "application/json"}, 400),
        (b"x", {"content-encoding": "gzip"}, 400),
        (b"x", {"content-encoding": "br"}, 400),
        (bomb, {"content-encoding": "gzip"}, 413),
        (b"\0" * (otlp.LARGEST + 1), {}, 413),
    ):
        answer = await tell(whole, "traces", body, **headers)
        assert answer.status_code == status, answer.text
