"""The trace of a run: what happened in it and below it, with ids that stay."""

import msgspec
import pytest

from mainspring.engine import trace as module
from mainspring.errors import NotFound
from mainspring.model.retry import RetryPolicy
from mainspring.model.run import RunError, Status
from mainspring.model.task import TaskSpec, default_queue
from mainspring.wire import calls
from mainspring.wire.operating import Span, Trace, TraceRun
from mainspring.wire.worker import Entry, LogLine, Logs
from tests.engine.durable import diverges
from tests.engine.house import House, Worker

TRIED = TaskSpec("work", default_queue("work"), RetryPolicy(max_attempts=2))


async def traced(house: House, run_id: str, span_id: str | None = None) -> Trace:
    found: Trace = await house.ask(TraceRun(run_id, span_id))
    return found


def by_message(found: Trace) -> dict[str, Span]:
    return {span.message: span for span in found.spans}


def now(house: House) -> int:
    return house.clock.now()


async def step(house: House, worker: Worker, run_id: str, key: str, data: str = "1") -> None:
    at = now(house)
    worker.record(run_id, Entry(key, 1, "step", "completed", data, None, "", at, at + 5))
    await house.settle()


async def test_a_run_shows_attempts_steps_waits_and_lines(house: House) -> None:
    worker = house.worker(TRIED)
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    await step(house, worker, run_id, "charge", '{"paid":true}')
    worker.send(Logs([LogLine(run_id, now(house), "info", "hello", '{"a":1}')]))
    worker.finish(run_id, outcome="failed", error=RunError("no", "ValueError"))
    await house.settle()
    await house.advance(11_000)
    before = await traced(house, run_id)
    worker.begin(run_id)
    await step(house, worker, run_id, "send")
    worker.sleep(run_id, "wait:time", seq=2, due_at=now(house) + 60_000)
    await house.settle()
    found = await traced(house, run_id)
    spans = by_message(found)
    assert list(spans) == ["work", "Attempt 1", "Attempt 2", "charge", "send", "wait:time"]
    own, first, second = spans["work"], spans["Attempt 1"], spans["Attempt 2"]
    assert found.spans[0] is own
    assert (own.parent_id, own.kind, own.ended_at, own.status) == (
        None,
        "run",
        None,
        Status.WAITING,
    )
    assert {first.parent_id, second.parent_id} == {own.id}
    assert (first.is_error, second.is_error) == (True, False)
    assert first.ended_at is not None
    assert second.ended_at is None
    assert [event.message for event in first.events] == ["no", "hello"]
    assert spans["charge"].parent_id == first.id
    assert {spans["send"].parent_id, spans["wait:time"].parent_id} == {second.id}
    assert spans["charge"].ended_at == spans["charge"].started_at + 5
    assert spans["wait:time"].ended_at is None
    assert spans["charge"].data is None
    known = {span.id for span in before.spans}
    assert known < {span.id for span in found.spans}
    assert all(len(span.id) == 16 for span in found.spans)
    assert len(found.trace_id) == 32


async def test_a_span_brings_its_data_and_what_is_below_it(house: House) -> None:
    worker = house.worker(TRIED)
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    await step(house, worker, run_id, "charge", '{"paid":true}')
    spans = by_message(await traced(house, run_id))
    charge = await traced(house, run_id, spans["charge"].id)
    assert [(span.message, span.data) for span in charge.spans] == [("charge", '{"paid":true}')]
    whole = await traced(house, run_id, spans["work"].id)
    assert [span.message for span in whole.spans] == ["work", "Attempt 1"]
    worker.finish(run_id, {"n": 1})
    await house.settle()
    ended = (await traced(house, run_id, spans["work"].id)).spans[0]
    assert (ended.data, ended.is_error, ended.is_canceled) == ('{"n":1}', False, False)
    assert ended.ended_at is not None
    with pytest.raises(NotFound):
        await traced(house, run_id, "0" * 16)
    with pytest.raises(NotFound):
        await traced(house, "run_unknown")


async def test_runs_below_a_run_stand_where_they_were_made(house: House) -> None:
    worker = house.worker(TRIED)
    root = await house.trigger()
    await house.settle()
    worker.begin(root)
    loose = await house.trigger(parent=root)
    request = msgspec.structs.replace(calls.Trigger([]), key="trigger:work", seq=1)
    request.requests = [calls.TriggerRequest("work")]
    worker.call(request, root)
    await house.settle()
    kept = worker.answered()["answers"][0]["run_id"]
    below = await house.trigger(parent=kept)
    found = await traced(house, root)
    own = {span.run_id: span for span in found.spans if span.kind == "run"}
    assert set(own) == {root, loose, kept, below}
    spans = {span.id: span for span in found.spans}
    assert spans[own[kept].parent_id or ""].message == "trigger:work"
    assert spans[own[loose].parent_id or ""].message == "Attempt 1"
    assert own[below].parent_id in {span.id for span in found.spans if span.run_id == kept}
    seen: set[str] = set()
    for span in found.spans:
        assert span.parent_id is None or span.parent_id in seen
        seen.add(span.id)
    assert (await traced(house, below)).trace_id == found.trace_id
    detail = await traced(house, root, own[kept].parent_id)
    assert [span.run_id for span in detail.spans] == [root, kept]


async def test_a_trace_that_is_too_large_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.worker(TRIED, slots=0)
    root = await house.trigger()
    for _ in range(5):
        await house.trigger(parent=root)
    whole = await traced(house, root)
    assert (len(whole.spans), whole.truncated) == (6, False)
    monkeypatch.setattr(module, "RUNS", 4)
    fewer = await traced(house, root)
    assert (len(fewer.spans), fewer.truncated) == (4, True)
    assert fewer.spans == whole.spans[:4]


async def test_a_lost_worker_is_a_span_of_its_attempt(house: House) -> None:
    worker = house.worker(TRIED)
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    house.engine.lost(house.env, worker.session_id)
    await house.settle()
    found = await traced(house, run_id)
    [lost] = [span for span in found.spans if span.kind == "lost"]
    assert (lost.is_error, lost.level) == (True, "WARN")
    assert "died" in lost.message
    assert lost.parent_id == by_message(found)["Attempt 1"].id


async def test_an_attempt_that_diverged_has_ended_and_the_run_waits_for_a_decision(
    house: House,
) -> None:
    worker = house.worker(TRIED)
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    await step(house, worker, run_id, "charge")
    worker.finish(run_id, outcome="failed", error=RunError("no", "ValueError"))
    await house.settle()
    await house.advance(11_000)
    worker.begin(run_id)
    diverged_at = now(house)
    diverges(worker, run_id, "charge")
    await house.settle()
    await house.advance(5_000)
    found = await traced(house, run_id)
    last = by_message(found)["Attempt 2"]
    [pause] = [span for span in found.spans if span.kind == "diverged"]
    assert (last.ended_at, last.is_error) == (diverged_at, False)
    assert (pause.message, pause.parent_id) == ("charge", found.spans[0].id)
    assert (pause.started_at, pause.ended_at) == (diverged_at, None)
    assert [event.message for event in pause.events] == ["it asks for something else at charge"]
    assert len({span.id for span in found.spans}) == len(found.spans)
    await house.ask(calls.SettleRun(run_id, "accept"))
    await house.settle()
    resumed = await traced(house, run_id)
    assert by_message(resumed)["Attempt 2"].ended_at is None
    assert not [span for span in resumed.spans if span.kind == "diverged"]
