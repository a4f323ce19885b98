"""A collector of OpenTelemetry hears of a run that an HTTP request triggered, over real sockets."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mainspring.app.collectors import collector_at
from mainspring.app.hosted import hosted
from mainspring.app.stores import locate
from mainspring.errors import ConfigurationError
from mainspring.model.key import new_key
from mainspring.settings import ServerSettings
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import News, Supervisor

KEY = new_key("dev", random.Random(5))
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TASKS = """
from mainspring import Context, logger, meter, step, task, tracer

@task
async def child(ctx: Context) -> str:
    return ctx.traceparent

@task
async def parent(ctx: Context) -> list[str]:
    await charge()
    logger.info("charged", cents=5)
    return [ctx.traceparent, await child.trigger_and_wait()]

@step
async def charge() -> int:
    with tracer.span("ask the bank", card="visa") as span:
        span.usage("m-1", input_tokens=3)
        meter.increment("orders.paid", 2, card="visa")
        meter.histogram("orders.cents", 480)
    return 5
"""


class Double:
    """Stands for a collector: keeps what is posted to it, by path."""

    def __init__(self) -> None:
        double = self
        self.posted: dict[str, list[dict[str, Any]]] = {
            f"/v1/{what}": [] for what in ("traces", "logs", "metrics")
        }
        self.tokens: set[str | None] = set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                double.tokens.add(self.headers["x-token"])
                double.posted[self.path].append(json.loads(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for body in self.posted["/v1/traces"]
            for resource in body["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def metrics(self) -> dict[str, dict[str, Any]]:
        """The last that was told of each metric."""
        return {
            metric["name"]: metric
            for body in self.posted["/v1/metrics"]
            for resource in body["resourceMetrics"]
            for scope in resource["scopeMetrics"]
            for metric in scope["metrics"]
        }

    def records(self) -> list[dict[str, Any]]:
        return [
            record
            for body in self.posted["/v1/logs"]
            for resource in body["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]


@pytest.fixture
def double() -> Iterator[Double]:
    double = Double()
    thread = threading.Thread(target=double.server.serve_forever, daemon=True)
    thread.start()
    yield double
    double.server.shutdown()
    double.server.server_close()
    thread.join()


@pytest.mark.slow
async def test_one_trace_leads_from_the_request_through_run_and_step_to_the_child(
    tmp_path: Path, double: Double
) -> None:
    (tmp_path / "jobs.py").write_text(TASKS)
    settings = ServerSettings(
        port=0, access_log=False, otlp_endpoint=double.url, otlp_headers="x-token=secret"
    )
    connected = asyncio.Event()

    def tell(news: News) -> None:
        if news.kind == "connected":
            connected.set()

    async with hosted(locate(str(tmp_path / "state.db")), settings, key=KEY) as server:
        supervisor = Supervisor(ChildConfig(server.url, KEY, root=str(tmp_path)), 1, tell)
        await supervisor.start()
        async with asyncio.timeout(20):
            await connected.wait()
        output = await triggered(server.url)
        supervisor.kill()
        await supervisor.wait()
    spans = double.spans()
    assert {span["traceId"] for span in spans} == {TRACE}
    ids = {span["spanId"]: span for span in spans}
    chain = []
    at = next(span for span in spans if span["name"] == "child")
    while at["parentSpanId"] != CALLER:
        at = ids[at["parentSpanId"]]
        chain.append(at["name"])
    assert chain[-2:] == ["Attempt 1", "parent"]
    charge = next(span for span in spans if span["name"] == "charge")
    assert ids[charge["parentSpanId"]]["name"] == "Attempt 1"
    bank = next(span for span in spans if span["name"] == "ask the bank")
    assert bank["parentSpanId"] == charge["spanId"]
    assert {"key": "card", "value": {"stringValue": "visa"}} in bank["attributes"]
    assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)
    for told in output:  # what each run may pass on is within its own attempt
        version, trace, span_id, flags = told.split("-")
        assert (version, trace, flags, ids[span_id]["name"]) == ("00", TRACE, "01", "Attempt 1")
    [line] = double.records()
    assert (line["traceId"], line["body"]) == (TRACE, {"stringValue": "charged"})
    assert ids[line["spanId"]]["name"] == "Attempt 1"
    assert double.tokens == {"secret"}
    metrics = double.metrics()
    [paid] = metrics["orders.paid"]["sum"]["dataPoints"]
    assert paid["asDouble"] == 2
    told = {one["key"]: one["value"]["stringValue"] for one in paid["attributes"]}
    assert told == {"environment": "dev", "card": "visa", "task": "parent"}
    [cents] = metrics["orders.cents"]["exponentialHistogram"]["dataPoints"]
    assert (cents["count"], cents["sum"], cents["positive"]["bucketCounts"]) == ("1", 480, ["1"])
    ended = metrics["mainspring.runs.ended"]["sum"]["dataPoints"]
    assert sum(point["asDouble"] for point in ended) == 2


async def triggered(url: str) -> list[str]:
    """The output of a run of `parent`, triggered by a request that is in a trace."""
    headers = {"authorization": f"Bearer {KEY}", "traceparent": f"00-{TRACE}-{CALLER}-01"}
    async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
        made = await client.post("/api/v1/tasks/parent/trigger", json={"payload": {}})
        wait = {"type": "await", "run_id": made.json()["id"], "timeout_ms": 20_000}
        run = await client.post("/api/mainspring/v1/call", json=wait, timeout=30)
    assert run.json()["status"] == "completed", run.text
    found: list[str] = json.loads(run.json()["output"])
    return found


@pytest.mark.parametrize(
    "given", [{"otlp_endpoint": "collector:4318"}, {"otlp_headers": "no sign"}]
)
def test_settings_that_name_no_collector_are_refused(given: dict[str, str]) -> None:
    usual = {"otlp_endpoint": "http://127.0.0.1:4318"}
    with pytest.raises(ConfigurationError):
        collector_at(ServerSettings(**(usual | given)))  # type: ignore[arg-type]
