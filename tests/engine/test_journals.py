"""Journals: what runs have behind them, what is kept with it, and what a new attempt is given."""

from __future__ import annotations

import msgspec
import pytest

from mainspring.engine.deaths import LOSSES
from mainspring.errors import InvalidOptions
from mainspring.model.retry import RetryPolicy
from mainspring.model.run import INLINE_LIMIT, RunError
from mainspring.model.task import TaskSpec
from mainspring.wire import calls
from mainspring.wire.worker import Ack, Entry, Execute, Fenced
from tests.engine.house import House, Worker, request
from tests.engine.test_waits import HOUR, later

BIG = '"' + "x" * (INLINE_LIMIT + 10) + '"'


async def lost(house: House, worker: Worker) -> Worker:
    """The worker dies; the one that comes instead."""
    house.engine.lost(house.env, worker.session_id)
    house.workers.remove(worker)
    await house.settle()
    other = Worker(house, worker.tasks, number=77, inside=True)
    house.workers.append(other)
    other.connect()
    await house.settle()
    return other


async def test_entries_are_durable_when_their_frame_is(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    entry = Entry("charge", 1, "step", "completed", '{"ok":1}', None, "f1", 5, 9)
    frame = worker.record(run_id, entry)
    await house.settle()
    assert frame.number in [order.number for order in worker.took(Ack)]
    line = (await house.journal(run_id))["charge"]
    assert (line.kind, line.status, line.data) == ("step", "completed", '{"ok":1}')
    assert (line.started_at, line.ended_at, line.seq) == (5, 9, 1)


async def test_the_first_result_of_a_step_stays(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.record(run_id, Entry("a", 1, "step", data="1"), Entry("a", 1, "step", data="2"))
    worker.record(run_id, Entry("a", 1, "step", data="3"))
    await house.settle()
    assert (await house.journal(run_id))["a"].data == "1"


async def test_a_stale_attempt_records_nothing(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    other = await lost(house, worker)
    assert run_id in other.runs
    other.record(run_id, Entry("old", 1, "step", data="1"), epoch=1)
    await house.settle()
    assert [order.epoch for order in other.took(Fenced)] == [1]
    assert await house.journal(run_id) == {}


async def test_large_results_are_stored_apart_and_given_inline(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    worker.record(run_id, Entry("big", 1, "step", data=BIG))
    await house.settle()
    [row] = await house.store.waits.history(house.env.shard_id, [run_id])
    assert (row.data, row.data_ref is None) == (None, False)
    assert (await house.journal(run_id))["big"].data == BIG
    other = await lost(house, worker)
    assert [entry.data for entry in other.runs[run_id].journal] == [BIG]


@pytest.mark.parametrize("bad", ["nul key", "no json", "lone surrogate"])
async def test_what_nobody_can_store_fails_the_run_and_stops_its_body(
    house: House, bad: str
) -> None:
    worker = house.worker()
    run_id = await house.trigger(max_attempts=1)
    entry = Entry("a\0b" if bad == "nul key" else "a", 1, "step", data="1")
    entry.data = {"no json": "{", "lone surrogate": '"\\ud800"'}.get(bad, "1")
    worker.record(run_id, entry)
    await house.settle()
    run = await house.run(run_id)
    assert run.status == "failed"
    assert run.error is not None
    assert [order.run_id for order in worker.took(Fenced)] == [run_id]
    assert await house.differences() == []


async def test_a_row_that_the_database_refuses_ends_only_its_run(house: House) -> None:
    worker = house.worker(inside=True)
    bad, good = await house.trigger(), await house.trigger()
    house.faults.refuse = lambda changes: any(row[1] == "bad" for row in changes.journal)
    worker.record(bad, Entry("bad", 1, "step", data="1"))
    worker.record(good, Entry("good", 1, "step", data="1"))
    await house.settle()
    assert await house.status(bad) == "system_failure"
    assert set(await house.journal(good)) == {"good"}
    worker.finish(good)
    await house.settle()
    assert await house.status(good) == "completed"


async def test_a_new_attempt_is_given_the_journal_in_its_order(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(max_attempts=2)
    error = '{"message":"no"}'
    worker.record(
        run_id,
        Entry("b", 2, "step", data="2"),
        Entry("a", 1, "step", data="1"),
        Entry("c!1", 3, "step", "failed", error),
    )
    worker.finish(run_id, outcome="retry", retry_after_ms=5)
    await later(house, 5)
    order = worker.runs[run_id]
    assert (order.attempt, order.generation) == (2, 0)
    assert [entry.key for entry in order.journal] == ["a", "b", "c!1"]
    assert (await house.journal(run_id))["c!1"].attempt == 1


async def test_a_failed_attempt_may_ask_for_another_machine(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(max_attempts=3, machine="small-1x")
    assert worker.runs[run_id].machine == "small-1x"
    worker.finish(run_id, outcome="retry", retry_after_ms=5, machine="large-1x")
    await later(house, 5)
    assert worker.runs[run_id].machine == "large-1x"
    worker.finish(run_id, outcome="retry", retry_after_ms=5)
    await later(house, 5)
    assert worker.runs[run_id].machine == "small-1x"


async def test_names_of_steps_never_meet_the_engine_s_own_entries(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(max_attempts=2)
    worker.record(run_id, *(Entry(key, 1, "step", data="1") for key in ("attempt:1", "lost:1")))
    worker.finish(run_id, outcome="retry", retry_after_ms=5)
    await later(house, 5)
    assert {entry.key for entry in worker.runs[run_id].journal} == {"attempt:1", "lost:1"}


async def test_a_trigger_of_a_run_is_kept_in_its_journal(house: House) -> None:
    worker = house.worker(inside=True)
    parent = await house.trigger()
    worker.begin(parent)
    asked = calls.Trigger([request(1), request(2)], "trigger:work", 4, 0, "print")
    worker.call(asked, parent, 1)
    await house.settle()
    first = worker.answered(1)
    worker.call(asked, parent, 2)
    await house.settle()
    assert worker.answered(2) == first
    assert len((await house.page()).runs) == 3
    other = await lost(house, worker)
    [entry] = other.runs[parent].journal
    assert (entry.key, entry.kind, entry.seq, entry.fingerprint) == (
        "trigger:work",
        "trigger",
        4,
        "print",
    )
    assert [run_id for run_id, _ in calls_of(entry)] == [one["run_id"] for one in first["answers"]]
    for run_id, _ in calls_of(entry):
        assert (await house.run(run_id)).parent_id == parent


def calls_of(entry: Entry) -> list[tuple[str, bool]]:
    return msgspec.json.decode(entry.data or "", type=list[tuple[str, bool]])


async def test_two_calls_of_one_key_in_one_turn_make_runs_once(house: House) -> None:
    worker = house.worker()
    parent = await house.trigger()
    asked = calls.Trigger([request(1)], "trigger:work", 1)
    worker.call(asked, parent, 1)
    worker.call(asked, parent, 2)
    await house.settle()
    assert worker.answered(1) == worker.answered(2)
    assert len((await house.page()).runs) == 2


async def test_a_fenced_attempt_triggers_nothing(house: House) -> None:
    worker = house.worker(inside=True)
    parent = await house.trigger()
    worker.finish(parent)
    await house.settle()
    worker.call(calls.Trigger([request(1)], "trigger:work", 1), parent)
    await house.settle()
    assert worker.answered()[0] == "fenced_out"
    assert len((await house.page()).runs) == 1


async def test_a_tree_is_at_most_a_hundred_levels_deep(house: House) -> None:
    house.worker(slots=0)
    parent = await house.trigger()
    for _ in range(100):
        parent = await house.trigger(parent=parent)
    with pytest.raises(InvalidOptions, match="100 levels"):
        await house.trigger(parent=parent)


async def test_a_continued_run_begins_anew_with_its_payload(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger({"round": 0}, max_attempts=2)
    worker.record(run_id, Entry("a", 1, "step", data="1"))
    worker.send(worker.waits(run_id, "nap", after_ms=HOUR))
    worker.finish(run_id, outcome="retry", retry_after_ms=5)
    await later(house, 5)
    assert worker.runs[run_id].attempt == 2
    worker.finish(run_id, outcome="continued")
    await house.settle()
    order = worker.runs[run_id]
    assert (order.generation, order.attempt, order.payload) == (1, 1, '{"round":0}')
    assert order.journal == []
    assert await house.leftovers() == []
    worker.send(worker.recorded(run_id, Entry("a", 1, "step", data="2"), generation=1))
    worker.finish(run_id, outcome="continued", raw='{"round":2}')
    await house.settle()
    order = worker.runs[run_id]
    assert (order.generation, order.payload, order.journal) == (2, '{"round":2}', [])
    worker.send(worker.recorded(run_id, Entry("a", 1, "step", data="3"), generation=2))
    worker.begin(run_id)
    await house.settle()
    other = await lost(house, worker)
    order = other.runs[run_id]
    assert (order.generation, order.payload) == (2, '{"round":2}')
    assert [entry.data for entry in order.journal] == ["3"]
    other.finish(run_id)
    await house.settle()
    assert await house.status(run_id) == "completed"
    assert await house.differences() == []


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_a_doubtful_continue_raises_the_generation_once(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(1)
    worker.begin(run_id)
    await house.settle()
    house.faults.next.append(end)
    worker.finish(run_id, outcome="continued", raw=BIG)
    await house.settle()
    worker.answer_revokes()
    await house.settle()
    order = worker.runs[run_id]
    assert (order.generation, order.payload) == (1, BIG)


async def test_a_canceled_run_does_not_continue(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger(1)
    await house.cancel(run_id)
    worker.finish(run_id, outcome="continued", raw="1")
    await house.settle()
    assert await house.status(run_id) == "canceled"


async def test_a_run_that_diverged_waits_for_a_decision(house: House) -> None:
    worker = house.worker(slots=1, inside=True)
    run_id = await house.trigger()
    worker.send(worker.waits(run_id, "nap", after_ms=5))
    error = RunError("not the same", code="diverged", details={"key": "charge"})
    worker.finish(run_id, outcome="diverged", error=error)
    await house.settle()
    assert await house.status(run_id) == "waiting"
    line = (await house.journal(run_id))["charge"]
    assert (line.kind, line.status) == ("diverged", "pending")
    assert "not the same" in (line.data or "")
    await later(house, 5)
    assert (await house.journal(run_id))["nap"].status == "completed"
    assert await house.status(run_id) == "waiting"  # time alone does not let it go on
    assert worker.runs == {}
    await house.cancel(run_id)
    await house.settle()
    assert await house.status(run_id) == "canceled"
    assert await house.leftovers() == []
    assert await house.differences() == []


async def test_outcomes_of_ended_runs_are_given_whole(house: House) -> None:
    worker = house.worker()
    ids = [await house.trigger() for _ in range(3)]
    worker.finish(ids[0], raw=BIG)
    worker.finish(ids[1], outcome="aborted", error=RunError("no", code="x"))
    await house.settle()
    answer = await house.ask(calls.GetOutcomes([*ids, "run_unknown"]))
    found = {outcome.run_id: outcome for outcome in answer.outcomes}
    assert found.keys() == set(ids[:2])
    assert (found[ids[0]].status, found[ids[0]].output) == ("completed", BIG)
    assert found[ids[1]].error == RunError("no", code="x")
    with pytest.raises(InvalidOptions, match="at most 100"):
        await house.ask(calls.GetOutcomes(["run_x"] * 101))


async def test_the_worker_s_own_losses_are_counted_apart_from_withdrawn_orders(
    house: House,
) -> None:
    task = TaskSpec("work", "work", retry=RetryPolicy(max_attempts=1))
    worker = Worker(house, [task], number=50, inside=True)
    worker.connect()
    run_id = await house.trigger()
    for number in range(11):
        worker.begin(run_id)
        await house.settle()
        assert (await house.run(run_id)).status == "executing"
        house.engine.lost(house.env, worker.session_id)
        await house.settle()
        worker = Worker(house, [task], number=51 + number, inside=True)
        worker.connect()
        await house.settle()
    run = await house.run(run_id)
    assert run.status == "crashed"
    assert run.error is not None
    assert "lost 11 times" in run.error.message
    assert worker.took(Execute) == []


async def test_a_run_that_comes_on_between_losses_may_lose_any_number_of_workers(
    house: House,
) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    for round_ in range(2 * LOSSES):
        worker.begin(run_id)
        if round_ % LOSSES == LOSSES - 1:
            worker.record(run_id, Entry(f"0/step#{round_}", round_ + 1, "step", data="1"))
        await house.settle()
        worker.drop()
        await house.live(20_000)
        worker = house.worker()
        await house.settle()
    worker.finish(run_id)
    await house.settle()
    assert await house.status(run_id) == "completed"
