"""What leaves for a collector of spans once runs have ended."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from mainspring.engine import exporting
from mainspring.engine.exporting import Exporter, collected
from mainspring.model import tracing
from mainspring.model.run import RunError
from mainspring.telemetry.spans import LineRecord, SpanRecord
from mainspring.wire import calls
from mainspring.wire.telling import ToldSpan
from mainspring.wire.variables import SetVariables
from mainspring.wire.worker import Entry, LogLine, Logs, Told
from tests.engine.house import House, Worker

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{CALLER}-01"


class Sink:
    """Takes what is sent, unless it is `broken`."""

    def __init__(self) -> None:
        self.spans: list[SpanRecord] = []
        self.lines: list[LineRecord] = []
        self.broken = False

    async def send(self, spans: Sequence[SpanRecord], lines: Sequence[LineRecord]) -> None:
        if self.broken:
            raise ConnectionError("nobody listens")
        self.spans += spans
        self.lines += lines


async def step(house: House, worker: Worker, run_id: str, key: str) -> None:
    at = house.clock.now()
    worker.record(run_id, Entry(key, 1, "step", "completed", "1", None, "", at, at + 5))
    await house.settle()


async def family(house: House, worker: Worker, **options: str) -> tuple[str, str]:
    """A run with a step and a child that has failed, both ended."""
    root = await house.trigger(**options)
    await house.settle()
    worker.begin(root)
    await step(house, worker, root, "charge")
    request = calls.Trigger([calls.TriggerRequest("work")], key="trigger:work", seq=2)
    worker.call(request, root)
    await house.settle()
    child = str(worker.answered()["answers"][0]["run_id"])
    worker.begin(child)
    worker.send(Logs([LogLine(child, house.clock.now(), "warning", "low", '{"ink":1}')]))
    worker.finish(child, outcome="aborted", error=RunError("no ink", "InkError"))
    worker.finish(root, 7)
    await house.settle()
    return root, child


async def test_a_run_and_its_child_are_one_trace_below_the_callers_span(house: House) -> None:
    worker = house.worker(slots=4)
    root, child = await family(house, worker, trace=GIVEN)
    spans, lines = await collected(house.owner, [root, child])
    assert {span.trace_id for span in spans} == {TRACE}
    by_name = {(span.attributes["mainspring.run"], span.name): span for span in spans}
    own, below = by_name[root, "work"], by_name[child, "work"]
    tried, charge = by_name[root, "Attempt 1"], by_name[root, "charge"]
    made = by_name[root, "trigger:work"]
    assert (own.parent_id, tried.parent_id) == (CALLER, own.span_id)
    assert (charge.parent_id, made.parent_id) == (tried.span_id, tried.span_id)
    assert below.parent_id == made.span_id
    assert (own.error, below.error, charge.kind, own.kind) == (
        None, "no ink", "internal", "consumer",
    )  # fmt: skip
    assert (below.attributes["mainspring.status"], charge.ended_at) == (
        "failed",
        charge.started_at + 5,
    )
    [line] = lines
    assert (line.trace_id, line.span_id) == (TRACE, by_name[child, "Attempt 1"].span_id)
    assert (line.level, line.message, line.data) == ("warning", "low", '{"ink":1}')


async def test_children_are_told_their_trace_and_the_span_of_their_parent(house: House) -> None:
    worker = house.worker(slots=4)
    root = await house.trigger(trace=GIVEN)
    child = await house.trigger(parent=root)
    later = await house.trigger(parent=child, delay_ms=1_000)
    await house.settle()
    await house.advance(1_000)
    told = [worker.runs[run_id].trace for run_id in (root, child, later)]
    above = [tracing.span_id(run_id) for run_id in (root, child)]
    assert told == [GIVEN, *(f"00-{TRACE}-{span_id}-01" for span_id in above)]
    assert (await house.run(later)).trace == told[2]


async def test_a_run_without_a_caller_begins_the_trace_of_its_family(house: House) -> None:
    worker = house.worker(slots=4)
    root, child = await family(house, worker)
    spans, _ = await collected(house.owner, [root, child])
    assert {span.trace_id for span in spans} == {tracing.trace_id(None, root)}
    assert [span.name for span in spans if span.parent_id is None] == ["work"]
    known = {span.span_id for span in spans}
    assert all(span.parent_id in known for span in spans if span.parent_id is not None)


async def test_secrets_of_the_environment_leave_in_nothing(house: House) -> None:
    await house.ask(SetVariables({"INK": "s3cr3t-ink"}, secret=True))
    worker = house.worker()
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    at, data = house.clock.now(), '{"ink":"s3cr3t-ink"}'
    told = ToldSpan(run_id, "0" * 15 + "1", "", "s3cr3t-ink", at, at, "no s3cr3t-ink", data)
    worker.send(Told([told], []), Logs([LogLine(run_id, at, "info", "s3cr3t-ink", data)]))
    worker.finish(run_id, outcome="aborted", error=RunError("no s3cr3t-ink"))
    await house.settle()
    spans, lines = await collected(house.owner, [run_id])
    assert (len(spans), len(lines)) == (3, 1)
    assert "s3cr3t" not in repr((spans, lines))


async def test_a_trace_that_its_caller_does_not_keep_is_left_out(house: House) -> None:
    worker = house.worker(slots=4)
    runs = await family(house, worker, trace=f"00-{TRACE}-{CALLER}-00")
    assert await collected(house.owner, runs) == ([], [])


async def test_runs_are_sent_when_they_have_ended_and_lost_when_nobody_listens(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, worker = Sink(), house.worker(slots=4)
    exporter = Exporter(sink.send)
    house.owner.publisher.on_ends = partial(exporter.note, house.owner)
    exporter.start()
    sink.broken = True
    await family(house, worker)
    await exporter.stop()
    assert (sink.spans, exporter.dropped) == ([], 2)
    sink.broken = False
    exporter = Exporter(sink.send)
    house.owner.publisher.on_ends = partial(exporter.note, house.owner)
    monkeypatch.setattr(exporting, "WAITING", 1)
    root, _ = await family(house, worker)
    exporter.start()
    await exporter.stop()
    assert exporter.dropped == 1
    house.engine.exporter = exporter
    figures = {sample.name: sample.value for sample in house.engine.figures(house.env)}
    assert figures["mainspring_export_dropped_total"] == 1
    assert len({span.trace_id for span in sink.spans}) == 1
    assert tracing.trace_id(None, root) == sink.spans[0].trace_id
