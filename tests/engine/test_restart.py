"""Runs that go on from an entry of a journal: new ones, and those whose code has diverged."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mainspring.errors import Conflict, InvalidOptions, NotFound
from mainspring.model.run import RunError
from mainspring.wire import calls
from mainspring.wire.worker import Entry, Finished
from tests.engine.durable import diverges, record, started, step, waits
from tests.engine.house import House, Worker

LARGE = json.dumps("x" * 100_000)


async def restart(house: House, run_id: str, key: str | None = None, **options: Any) -> str:
    answer = await house.ask(calls.RestartRun(run_id, key, **options))
    return str(answer.run_id)


async def settle(house: House, run_id: str, action: str, version: str | None = None) -> Any:
    return await house.ask(calls.SettleRun(run_id, action, version))


async def ended(house: House, worker: Worker, *entries: Entry, **options: Any) -> str:
    """A run that has these entries behind it and has failed."""
    run_id = await started(house, worker, max_attempts=1, **options)
    record(worker, run_id, *entries)
    worker.finish(run_id, outcome="failed", error=RunError("it broke"))
    await house.settle()
    return run_id


async def diverged(house: House, worker: Worker, *entries: Entry, key: str) -> str:
    """A run that has these entries behind it, whose code does not fit that key."""
    run_id = await started(house, worker)
    record(worker, run_id, *entries)
    diverges(worker, run_id, key)
    await house.settle()
    assert await house.status(run_id) == "waiting"
    return run_id


def told(worker: Worker, run_id: str) -> dict[str, Any]:
    """The journal that a run was given with its order."""
    journal = worker.runs[run_id].journal
    return {entry.key: json.loads(entry.data or "null") for entry in journal}


async def test_a_run_is_restarted_with_the_results_before_an_entry(house: House) -> None:
    worker = house.worker()
    old = await ended(
        house,
        worker,
        step("a", 1, 1, fingerprint="f"),
        step("b", 2, 2),
        step("c", 3, 3),
        payload={"n": 7},
        tags=("t",),
    )
    new = await restart(house, old, "c")
    await house.settle()
    order = worker.runs[new]
    assert told(worker, new) == {"a": 1, "b": 2}
    assert [entry.fingerprint for entry in order.journal] == ["f", ""]
    assert (json.loads(order.payload), order.tags, order.attempt) == ({"n": 7}, ("t",), 1)
    run = await house.run(new)
    assert (run.replay_of, run.status.value) == (old, "dequeued")
    worker.begin(new)
    record(worker, new, step("c", 3, "other"))
    worker.finish(new, "done")
    await house.settle()
    assert (await house.run(new)).output == '"done"'
    assert [line.data for line in await journal(house, old)] == ["1", "2", "3"]
    assert [line.data for line in await journal(house, new)] == ["1", "2", '"other"']


async def journal(house: House, run_id: str) -> list[calls.JournalLine]:
    found: calls.Journal = await house.ask(calls.ListJournal(run_id))
    return found.lines


async def test_without_an_entry_a_run_begins_from_the_start(house: House) -> None:
    worker = house.worker()
    old = await ended(house, worker, step("a", 1, 1), payload=1)
    new = await restart(house, old, payload="2")
    await house.settle()
    assert told(worker, new) == {}
    assert worker.runs[new].payload == "2"


async def test_results_and_the_payload_can_be_replaced(house: House) -> None:
    worker = house.worker()
    old = await ended(house, worker, step("a", 1, 1), step("b", 2, 2), step("c", 3, 3))
    new = await restart(house, old, "c", edits={"a": '{"edited":true}', "b": LARGE}, payload="9")
    await house.settle()
    assert told(worker, new) == {"a": {"edited": True}, "b": json.loads(LARGE)}
    assert worker.runs[new].payload == "9"
    given = told(worker, new)
    assert told(worker, await restarted(house, new, worker)) == given


async def restarted(house: House, run_id: str, worker: Worker) -> str:
    """The same once more, from an entry that the run has come to."""
    worker.begin(run_id)
    record(worker, run_id, step("z", 9))
    worker.finish(run_id)
    await house.settle()
    new = await restart(house, run_id, "z")
    await house.settle()
    return new


async def test_a_step_that_failed_is_where_to_restart(house: House) -> None:
    worker = house.worker()
    failed = Entry("b!1", 2, "step", "failed", '{"message":"no"}')
    old = await ended(house, worker, step("a", 1, 1), failed)
    new = await restart(house, old, "b")
    await house.settle()
    assert told(worker, new) == {"a": 1}


async def test_outcomes_of_waits_and_triggers_are_taken_along(house: House) -> None:
    worker = house.worker()
    trigger = Entry("trigger:x", 1, "trigger", data='[["run_1",false]]')
    timed_out = Entry("pay", 2, "token", "timed_out")
    old = await ended(house, worker, trigger, timed_out, step("c", 3))
    new = await restart(house, old, "c")
    await house.settle()
    entries = {entry.key: entry for entry in worker.runs[new].journal}
    assert entries["trigger:x"].data == '[["run_1",false]]'
    assert (entries["pay"].kind, entries["pay"].status) == ("token", "timed_out")


async def test_inputs_and_what_chance_began_from_are_taken_along(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker, max_attempts=1)
    for n in (1, 2):
        await house.ask(calls.SendInput(run_id, "orders", str(n)))
    seed, a = step("!seed", 1, "the seed"), step("a", 2, 1)
    record(worker, run_id, seed, a, step("b", 3, 2))
    worker.finish(run_id, outcome="failed", error=RunError("it broke"))
    await house.settle()
    new = await restart(house, run_id, "b")
    await house.settle()
    assert told(worker, new) == {"!seed": "the seed", "a": 1}
    worker.begin(new)
    worker.sleep(new, "wait:input", "input", points=["orders"], number=2)
    await house.settle()
    assert worker.told[new]["wait:input"].data == "2"
    assert (await house.ask(calls.SendInput(new, "orders", "3"))).number == 3


@pytest.mark.parametrize(
    "key, edits, said",
    [
        ("x", {}, "has no entry 'x'. It has: a, b, c"),
        ("!start", {}, "has no entry"),
        ("c", {"c": "1"}, "no such result"),
        ("c", {"x": "1"}, "no such result"),
        (None, {"a": "1"}, "no such result"),
        ("c", {"b": "1"}, "of the kind trigger"),
    ],
)
async def test_a_restart_that_fits_no_entry_is_refused(
    house: House, key: str | None, edits: dict[str, str], said: str
) -> None:
    worker = house.worker()
    trigger = Entry("b", 2, "trigger", data="[]")
    old = await ended(house, worker, step("a", 1), trigger, step("c", 3))
    with pytest.raises(InvalidOptions, match=said):
        await restart(house, old, key, edits=edits)


async def test_a_run_that_goes_on_is_not_restarted(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    with pytest.raises(Conflict, match="runs cancel"):
        await restart(house, run_id)
    waits(worker, run_id, "pay", "token", "waitpoint_x", seq=1, after_ms=9)
    other = await house.engine.environment("prod")
    with pytest.raises(NotFound):
        await house.engine.answer(other, calls.RestartRun(run_id))


@pytest.mark.parametrize("end", ["kept", "lost", "refused"])
async def test_a_doubtful_restart_makes_one_run(house: House, end: str) -> None:
    worker = house.worker(obedient=True)
    old = await ended(house, worker, step("a", 1, 1), step("b", 2))
    house.faults.next.append(end)
    new = await restart(house, old, "b", edits={"a": "5"})
    await house.settle()
    assert [run.id for run in (await house.page()).runs] == [new, old]
    assert told(worker, new) == {"a": 5}
    assert await house.differences() == []


async def test_a_restarted_run_waits_in_line_like_any_other(house: House) -> None:
    worker = house.worker(slots=1)
    old = await ended(house, worker, step("a", 1), step("b", 2))
    busy = await started(house, worker)
    new = await restart(house, old, "b")
    await house.settle()
    assert await house.status(new) == "queued"
    await house.crash()
    worker.connect()
    worker.finish(busy)
    await house.settle()
    assert told(worker, new) == {"a": None}


async def test_a_diverged_run_can_be_restarted_as_a_new_one(house: House) -> None:
    worker = house.worker()
    old = await diverged(house, worker, step("a", 1, 1), step("b", 2, 2), key="b")
    new = await restart(house, old, "b")
    await house.settle()
    assert told(worker, new) == {"a": 1}
    assert await house.status(old) == "waiting"


async def test_the_journal_shows_where_a_run_diverged(house: House) -> None:
    worker = house.worker()
    run_id = await diverged(house, worker, step("a", 1, 1), step("b", 2, 2), key="b")
    lines = await journal(house, run_id)
    assert [(line.key, line.kind, line.status) for line in lines] == [
        ("a", "step", "completed"),
        ("b", "step", "completed"),
        ("b", "diverged", "pending"),
    ]


async def test_a_difference_can_be_accepted(house: House) -> None:
    worker = house.worker()
    run_id = await diverged(house, worker, step("a", 1, 1), step("b", 2, 2), key="b")
    await settle(house, run_id, "accept")
    await house.settle()
    assert told(worker, run_id) == {"a": 1, "b": 2, "!accept:b": None}
    worker.begin(run_id)
    worker.finish(run_id, 1)
    await house.settle()
    assert await house.status(run_id) == "completed"


async def test_what_was_accepted_is_accepted_in_a_restart_too(house: House) -> None:
    worker = house.worker()
    run_id = await diverged(house, worker, step("a", 1, 1), step("b", 2, 2), key="a")
    await settle(house, run_id, "accept")
    await house.settle()
    worker.begin(run_id)
    worker.finish(run_id, outcome="aborted", error=RunError("no"))
    await house.settle()
    new = await restart(house, run_id, "b")
    await house.settle()
    assert told(worker, new) == {"a": 1, "!accept:a": None}


async def test_a_diverged_run_goes_on_with_what_was_before_the_entry(house: House) -> None:
    worker = house.worker()
    run_id = await diverged(house, worker, step("a", 1, 1), step("b", 2), step("c", 3), key="b")
    await settle(house, run_id, "restart")
    await house.settle()
    order = worker.runs[run_id]
    assert (order.generation, told(worker, run_id)) == (1, {"a": 1})
    worker.begin(run_id)
    record(worker, run_id, step("b", 2, "new"))
    diverges(worker, run_id, "b")
    await house.settle()
    await settle(house, run_id, "restart")
    await house.settle()
    assert (worker.runs[run_id].generation, told(worker, run_id)) == (2, {"a": 1})


async def test_a_restart_keeps_the_payload_that_the_run_went_on_with(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker, payload="first")
    worker.send(Finished(run_id, 1, "continued", LARGE))
    await house.settle()
    assert worker.runs[run_id].payload == LARGE
    worker.begin(run_id)
    record(worker, run_id, step("a", 1), step("b", 2))
    diverges(worker, run_id, "b")
    await house.settle()
    await settle(house, run_id, "restart")
    await house.settle()
    order = worker.runs[run_id]
    assert (order.generation, order.payload, set(told(worker, run_id))) == (2, LARGE, {"a"})
    worker.begin(run_id)
    worker.finish(run_id, outcome="aborted", error=RunError("no"))
    await house.settle()
    new = await restart(house, run_id)
    await house.settle()
    assert (worker.runs[new].payload, worker.runs[new].generation) == (LARGE, 0)


async def test_a_diverged_run_can_be_left_to_the_workers_of_a_version(house: House) -> None:
    worker = house.worker(version="2")
    run_id = await diverged(house, worker, step("a", 1, 1), key="a")
    await settle(house, run_id, "pin", "1")
    await house.settle()
    assert await house.status(run_id) == "pending_version"
    old = house.worker(version="1")
    await house.settle()
    assert told(old, run_id) == {"a": 1}


async def test_a_diverged_run_can_be_failed(house: House) -> None:
    worker = house.worker()
    parent = await started(house, worker)
    run_id = await started(house, worker, parent=parent)
    waits(worker, parent, "child", "run", run_id)
    record(worker, run_id, step("a", 1))
    diverges(worker, run_id, "a")
    await house.settle()
    run = await settle(house, run_id, "fail")
    assert run.status.value == "failed"
    assert (run.error.code, run.error.message) == ("diverged", "it asks for something else at a")
    await house.settle()
    assert await house.status(parent) != "waiting"
    assert await house.differences() == []


async def test_a_decision_survives_a_crash(house: House) -> None:
    worker = house.worker()
    run_id = await diverged(house, worker, step("a", 1, 1), key="a")
    await house.crash()
    with pytest.raises(Conflict):
        await settle(house, await house.trigger(), "accept")
    await settle(house, run_id, "accept")
    await house.crash()
    fresh = house.worker()
    await house.settle()
    assert told(fresh, run_id) == {"a": 1, "!accept:a": None}


@pytest.mark.parametrize("end", ["kept", "lost", "refused"])
@pytest.mark.parametrize("action", ["accept", "restart", "fail"])
async def test_a_doubtful_decision_is_made_once(house: House, end: str, action: str) -> None:
    worker = house.worker()
    run_id = await diverged(house, worker, step("a", 1, 1), key="a")
    house.faults.next.append(end)
    await settle(house, run_id, action)
    await house.settle()
    assert await house.differences() == []
    with pytest.raises(Conflict, match="not diverged"):
        await settle(house, run_id, action)


@pytest.mark.parametrize(
    "action, version, said",
    [("forget", None, "no way to settle"), ("pin", None, "version"), ("fail", "1", "version")],
)
async def test_a_decision_that_makes_no_sense_is_refused(
    house: House, action: str, version: str | None, said: str
) -> None:
    with pytest.raises(InvalidOptions, match=said):
        await settle(house, "run_x", action, version)


async def test_a_run_that_has_not_diverged_waits_for_no_decision(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    with pytest.raises(Conflict, match="not diverged"):
        await settle(house, run_id, "accept")
    with pytest.raises(NotFound):
        await settle(house, "run_x", "accept")


@pytest.mark.parametrize("run_id", ["", "a\0", "\ud800", "ü"])
async def test_a_run_id_that_no_database_holds_is_not_found(house: House, run_id: str) -> None:
    for request in (
        calls.Retrieve(run_id),
        calls.RestartRun(run_id),
        calls.SettleRun(run_id, "fail"),
        calls.SendInput(run_id, "chat", "1"),
        calls.UpdateMetadata(run_id, []),
        calls.ListJournal(run_id),
    ):
        with pytest.raises(NotFound):
            await house.ask(request)


@pytest.mark.parametrize("ask", [calls.ReplayRun, calls.RestartRun])
async def test_a_repeat_of_a_request_whose_answer_was_lost_makes_no_second_run(
    house: House, ask: Any
) -> None:
    worker = house.worker()
    old = await ended(house, worker, step("a", 1, 1))
    first = await house.ask(ask(old, request_key="same"))
    assert (await house.ask(ask(old, request_key="same"))).run_id == first.run_id
    assert (await house.ask(ask(old, request_key="other"))).run_id != first.run_id
    assert (await house.ask(ask(old))).run_id != first.run_id


async def test_repeats_of_a_restart_that_come_together_make_one_run(house: House) -> None:
    worker = house.worker()
    old = await ended(house, worker, step("a", 1, 1))
    wanted = [house.ask(calls.RestartRun(old, request_key="same")) for _ in range(3)]
    answers = await asyncio.gather(*wanted)
    assert len({answer.run_id for answer in answers}) == 1
