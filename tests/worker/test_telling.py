"""What the code of runs measures and traces, as it leaves the worker."""

from __future__ import annotations

import math

import msgspec
import pytest

from mainspring.model import tracing
from mainspring.sdk.context import current
from mainspring.sdk.decorate import task
from mainspring.sdk.meter import meter
from mainspring.sdk.step import step
from mainspring.sdk.tracer import tracer
from mainspring.wire.telling import ToldMetric, ToldSpan
from mainspring.wire.worker import Told
from mainspring.worker import hidden, telling
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute


async def told(engine: Engine, worker: Worker) -> tuple[dict[str, ToldSpan], list[ToldMetric]]:
    """Run the task `body` once; its spans by name, and its metrics."""
    await worker()
    engine.order(execute("body", "run_1"))
    await engine.until(lambda: "run_1" in engine.ended)
    assert engine.ended["run_1"].outcome == "completed"
    found = engine.of(Told)
    spans = {span.name: span for one in found for span in one.spans}
    return spans, [metric for one in found for metric in one.metrics]


async def test_spans_nest_in_each_other_in_steps_and_in_the_attempt(
    engine: Engine, worker: Worker
) -> None:
    @task(id="body")
    async def body() -> None:
        with tracer.span("outer", card="visa") as outer:
            outer.set(n=1)
            assert outer.traceparent.split("-")[2] == outer.id
            with pytest.raises(ValueError, match="no"), tracer.span("inner"):
                raise ValueError("no card")
        with tracer.span("model") as call:
            call.usage("m-1", input_tokens=3, cost=0.5)

        def charge() -> None:
            with tracer.span("in step"):
                pass

        await step("charge", charge)

    spans, _ = await told(engine, worker)
    attempt = tracing.span_id("run_1", tracing.attempt_key(1))
    assert spans["outer"].parent_id == attempt
    assert spans["inner"].parent_id == spans["outer"].span_id
    assert spans["inner"].error == "ValueError: no card"
    assert msgspec.json.decode(spans["outer"].attributes) == {"card": "visa", "n": 1}
    assert msgspec.json.decode(spans["model"].attributes)["gen_ai.usage.cost"] == 0.5
    assert spans["in step"].parent_id == tracing.span_id("run_1", "charge")


async def test_numbers_are_added_up_before_they_leave(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    def body() -> None:
        for cents in (100, 300):
            meter.increment("orders.paid", 2, card="visa")
            meter.histogram("orders.cents", cents)
            meter.gauge("shelf", cents)

    _, metrics = await told(engine, worker)
    found = {metric.name: metric for metric in metrics}
    assert found["orders.paid"].labels == (("card", "visa"), ("task", "body"))
    assert (found["orders.paid"].total, found["shelf"].last) == (4, 300)
    assert (found["orders.cents"].count, found["orders.cents"].high) == (2, 300)
    assert sum(found["orders.cents"].buckets.values()) == 2


async def test_what_cannot_be_kept_never_fails_a_run(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> None:
        meter.increment("runs.ended")
        meter.increment("a b")
        meter.increment("paid", -1)
        meter.gauge("level", math.nan)
        meter.gauge("paid", 1)
        meter.gauge("many", 1, **{f"l{n}": 1 for n in range(9)})
        meter.gauge("own", 1, task="x")
        meter.increment("kept", 1, of=current().run_id)
        with tracer.span("odd\0", it=object(), half="\ud800"):
            pass
        with tracer.span("huge", text="x" * 100_000, **{f"a{n}": n for n in range(500)}):
            pass
        for number in range(telling.SPANS + 10):
            with tracer.span(f"span {number}"):
                pass

    spans, metrics = await told(engine, worker)
    assert [metric.name for metric in metrics] == ["kept"]
    assert len(spans) == telling.SPANS
    assert "odd\ufffd" in spans
    assert len(spans["huge"].attributes) <= 2 * telling.SIZE
    assert sum(one.dropped for one in engine.of(Told)) == 7 + 12


async def test_secrets_leave_in_no_span_and_no_label(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    @task(id="body")
    async def body() -> None:
        meter.increment("paid", 1, key="s3cr3t-token")
        with pytest.raises(ValueError, match="s3"), tracer.span("s3cr3t-token", a="s3cr3t-token"):
            raise ValueError("s3cr3t-token")

    hidden.hide(["s3cr3t-token"])
    try:
        spans, metrics = await told(engine, worker)
    finally:
        hidden.hide([])
    assert "s3cr3t" not in msgspec.json.encode([*spans.values(), *metrics]).decode()


async def test_outside_of_a_run_nothing_is_kept() -> None:
    meter.increment("orders.paid")
    with tracer.span("outer", a=1) as span:
        span.set(b=2)
    assert (span.id, span.traceparent) == ("", "")
