"""Spans and metrics that programs tell: kept with their runs, bounded, found again by the trace."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.engine import telling
from mainspring.engine.exporting import collected
from mainspring.model import tracing
from mainspring.wire import calls
from mainspring.wire.measuring import GivenLine, GivenSpan, Taken, TakeTelemetry
from mainspring.wire.observing import FindLines
from mainspring.wire.operating import InspectRun, RunDetail, Span, Trace, TraceRun
from mainspring.wire.telling import ToldMetric, ToldSpan
from mainspring.wire.worker import Told
from tests.engine.house import House, Worker
from tests.engine.test_measures import read, totals

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MODEL = (
    '{"gen_ai.request.model":"m-1","gen_ai.usage.input_tokens":12,'
    '"gen_ai.usage.output_tokens":3,"gen_ai.usage.cost":0.0015}'
)


async def begun(house: House, **options: Any) -> tuple[Worker, str]:
    worker = house.worker(slots=4)
    run_id = await house.trigger(**options)
    await house.settle()
    worker.begin(run_id)
    return worker, run_id


def span(house: House, run_id: str, number: int, parent: str = "", **more: Any) -> ToldSpan:
    at = house.clock.now()
    return ToldSpan(run_id, f"{number:016x}", parent, f"span {number}", at, at + 5, **more)


async def spans(house: House, run_id: str) -> dict[str, Span]:
    found: Trace = await house.ask(TraceRun(run_id))
    return {one.message: one for one in found.spans if one.kind == "span"}


async def test_spans_of_a_program_stand_in_the_trace_of_its_run(house: House) -> None:
    worker, run_id = await begun(house)
    inner = span(house, run_id, 2, f"{1:016x}", error="ValueError: no", attributes='{"n":1}')
    worker.send(Told([inner, span(house, run_id, 1)], []))
    await house.settle()
    found = await spans(house, run_id)
    attempt = tracing.span_id(run_id, tracing.attempt_key(1))
    assert found["span 1"].parent_id == attempt
    assert found["span 2"].parent_id == found["span 1"].id
    assert (found["span 2"].is_error, found["span 2"].data) == (True, '{"n":1}')
    assert list(found) == ["span 1", "span 2"]
    worker.finish(run_id)
    await house.settle()
    left, _ = await collected(house.owner, [run_id])
    sent = {one.name: one for one in left}
    assert sent["span 1"].parent_id == sent["Attempt 1"].span_id == attempt
    assert (sent["span 2"].error, sent["span 2"].attributes["n"]) == ("ValueError: no", 1)


async def test_a_repeated_frame_adds_no_span_and_runs_of_others_none(house: House) -> None:
    worker, run_id = await begun(house)
    frame = worker.send(Told([span(house, run_id, 1), span(house, "run_other", 2)], []))
    worker.repeat(frame)
    worker.send(Told([span(house, run_id, 1)], []))
    await house.settle()
    assert list(await spans(house, run_id)) == ["span 1"]
    await house.settle()
    assert await totals(house, "telemetry.dropped", "what") == {"span": 1}


@pytest.mark.parametrize(
    "bad",
    [
        {"span_id": "x"},
        {"parent_id": "1"},
        {"attributes": "[]"},
        {"attributes": "{"},
        {"attributes": '{"a":"' + "x" * 40_000 + '"}'},
        {"kind": "loud"},
        {"ended_at": 5},
        {"started_at": 1 << 60, "ended_at": 1 << 60},
        {"run_id": "run_\0"},
        {"run_id": "run_\ud800"},
    ],
)
async def test_what_is_no_span_is_dropped_and_counted(house: House, bad: dict[str, Any]) -> None:
    worker, run_id = await begun(house)
    wrong = span(house, run_id, 1)
    for name, value in bad.items():
        setattr(wrong, name, value)
    worker.send(Told([wrong, span(house, run_id, 2, service="a\0b")], []))
    await house.settle()
    assert list(await spans(house, run_id)) == ["span 2"]
    assert await totals(house, "telemetry.dropped") == {"": 1}


async def test_a_flood_is_dropped_beyond_what_a_run_keeps(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "SPANS", 3)
    worker, run_id = await begun(house)
    for number in range(5):
        worker.send(Told([span(house, run_id, number + 1)], []))
    worker.send(Told([span(house, run_id, 9, attributes=MODEL)], []))
    await house.settle()
    assert list(await spans(house, run_id)) == ["span 1", "span 2", "span 3", "span 9"]
    assert await totals(house, "telemetry.dropped", "what") == {"span": 2}


async def test_calls_of_models_are_the_usage_of_their_run(house: House) -> None:
    worker, run_id = await begun(house, payload={"a": 1})
    house.clock.advance(40)
    told = [span(house, run_id, number, attributes=MODEL) for number in (1, 2)]
    worker.send(Told([*told, told[0], span(house, run_id, 3)], []))
    worker.finish(run_id, "done", active_ms=30)
    await house.settle()
    detail: RunDetail = await house.ask(InspectRun(run_id))
    used = detail.usage
    assert used is not None
    assert (used.calls, used.input_tokens, used.output_tokens, used.cost) == (2, 24, 6, 0.003)
    assert (used.active_ms, used.waiting_ms, used.attempts) == (30, 10, 1)
    assert (used.payload_bytes, used.output_bytes) == (len('{"a":1}'), len('"done"'))


async def test_numbers_of_a_program_are_added_up(house: House) -> None:
    worker, _ = await begun(house)
    labels = (("card", "visa"), ("task", "work"))
    paid = ToldMetric("counter", "orders.paid", labels, 2, 3.0, 0, 0, 0)
    took = ToldMetric("histogram", "orders.ms", labels, 2, 30, 10, 20, 20, {13: 1, 17: 1})
    worker.send(Told([], [paid, took]), Told([], [paid], 4))
    await house.settle()
    assert await totals(house, "orders.paid", "card", "task") == {"visa/work": 6}
    [series] = (await read(house, "orders.ms")).series
    assert (series.points[0].count, series.points[0].high) == (2, 20)
    assert await totals(house, "telemetry.dropped", "what") == {"worker": 4}


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "runs.ended"},
        {"name": "a b"},
        {"kind": "sum"},
        {"total": float("nan")},
        {"total": -1.0},
        {"count": 0},
        {"labels": (("b", "1"), ("a", "1"))},
        {"labels": tuple((f"l{n}", "1") for n in range(9))},
        {"labels": (("a", "x" * 200),)},
        {"labels": (("a", "\0"),)},
        {"buckets": {1: -1}},
        {"buckets": {99_999: 1}},
    ],
)
async def test_numbers_that_are_none_are_dropped_and_counted(
    house: House, bad: dict[str, Any]
) -> None:
    worker, _ = await begun(house)
    metric = ToldMetric("counter", "orders.paid", (), 1, 1.0, 0, 0, 0)
    for name, value in bad.items():
        setattr(metric, name, value)
    worker.send(Told([], [metric]))
    await house.settle()
    assert await totals(house, "telemetry.dropped") == {"": 1}


async def test_too_many_series_are_dropped_and_counted(house: House) -> None:
    worker, _ = await begun(house)
    for first in range(0, 2_500, 500):
        worker.send(
            Told(
                [],
                [
                    ToldMetric("counter", "n", (("id", str(n)),), 1, 1.0, 0, 0, 0)
                    for n in range(first, first + 500)
                ],
            )
        )
    await house.settle()
    assert await totals(house, "n") == {"": 2_000}
    assert await totals(house, "telemetry.dropped") == {"": 500}


def given(house: House, trace: str, number: int, parent: str) -> GivenSpan:
    one = span(house, "", number, parent, service="shop", kind="client")
    return GivenSpan(trace, one)


async def test_another_programs_spans_and_lines_land_in_the_run_whose_trace_they_name(
    house: House,
) -> None:
    worker, run_id = await begun(house)
    request = calls.Trigger([calls.TriggerRequest("work")], key="trigger:work", seq=2)
    worker.call(request, run_id)
    await house.settle()
    child = str(worker.answered()["answers"][0]["run_id"])
    worker.begin(child)
    trace = tracing.trace_id(None, run_id)
    inside = tracing.span_id(child, tracing.attempt_key(1))
    sent = TakeTelemetry(
        [
            given(house, trace, 1, inside),
            given(house, trace, 2, f"{1:016x}"),
            given(house, trace, 3, ""),
            given(house, "f" * 32, 4, ""),
            given(house, "no trace", 5, ""),
        ],
        [GivenLine(trace, house.clock.now(), "error", "card worn", '{"n":7}', span_id=f"{2:016x}")],
        [ToldMetric("counter", "shop.paid", (("service.name", "shop"),), 1, 2.0, 0, 0, 0)],
    )
    answer: Taken = await house.ask(sent)
    assert (answer.rejected, "trace" in answer.words) == (2, True)
    assert {name: one.run_id for name, one in (await spans(house, run_id)).items()} == {
        "span 1": child,
        "span 2": child,
        "span 3": run_id,
    }
    found = await house.ask(FindLines("card worn"))
    assert [(line.run_id, line.data) for line in found.lines] == [(child, '{"n":7}')]
    assert await totals(house, "shop.paid") == {"": 2}
    again: Taken = await house.ask(sent)
    assert again.rejected == 2
    assert len(await spans(house, run_id)) == 3


async def test_a_callers_trace_leads_to_its_runs_and_not_to_those_of_another_environment(
    house: House,
) -> None:
    _, run_id = await begun(house, trace=f"00-{TRACE}-{CALLER}-01")
    sent = TakeTelemetry([given(house, TRACE, 1, CALLER)])
    assert (await house.ask(sent)).rejected == 0
    assert list(await spans(house, run_id)) == ["span 1"]
    other = await house.engine.environment("prod")
    own = TakeTelemetry([given(house, tracing.trace_id(None, run_id), 2, "")])
    for request in (sent, own):
        assert (await house.engine.answer(other, request)).rejected == 1
    assert list(await spans(house, run_id)) == ["span 1"]


async def test_a_resource_may_name_the_run(house: House) -> None:
    _, run_id = await begun(house)
    one = given(house, "f" * 32, 1, "")
    one.run_id = run_id
    assert (await house.ask(TakeTelemetry([one]))).rejected == 0
    assert list(await spans(house, run_id)) == ["span 1"]
