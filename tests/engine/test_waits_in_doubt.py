"""Waits over commits that fail or end in doubt, broken links, lost workers and dead servers."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.wire import calls
from mainspring.wire.worker import Cancel, Entry, Execute, Resume, Revoke
from tests.engine.house import House, Worker, request
from tests.engine.test_waits import HOUR, asleep, later

ENDS = pytest.mark.parametrize("end", ["lost", "kept"])


async def goes_on(house: House, worker: Worker, run_id: str, *keys: str) -> None:
    """The run executes, has heard these outcomes, and ends with nothing left behind."""
    worker.answer_revokes()
    await house.settle()
    assert run_id in worker.runs
    assert set(keys) <= set(worker.told[run_id])
    assert await house.differences() == []
    worker.finish(run_id, 5)
    await house.settle()
    assert await house.status(run_id) == "completed"
    assert await house.leftovers() == []
    assert await house.differences() == []


@ENDS
async def test_a_doubtful_park_parks_once(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    house.faults.next.append(end)
    worker.sleep(run_id, "nap", after_ms=500)
    await house.settle()
    assert await house.status(run_id) == "waiting"
    assert run_id in worker.parked
    await later(house, 500)
    [order] = worker.took(Resume)  # its coroutine is still known
    assert (order.before, order.epoch) == (1, 2)
    await goes_on(house, worker, run_id, "nap")


@ENDS
async def test_a_doubtful_end_of_a_wait_resumes_the_run_once(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    run_id = await asleep(house, worker, 500)
    house.faults.next.append(end)
    await later(house, 500)
    assert len(worker.took(Resume)) == 1
    await goes_on(house, worker, run_id, "nap")


@ENDS
async def test_a_doubtful_end_of_a_child_wakes_its_parent_once(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    parent = await house.trigger()
    child = await house.trigger(parent=parent)
    worker.begin(parent, child)
    worker.sleep(parent, "child", "run", points=[child])
    await house.settle()
    house.faults.next.append(end)
    worker.finish(child)
    await house.settle()
    assert len(worker.took(Resume)) == 1
    await goes_on(house, worker, parent, "child")


@ENDS
async def test_a_doubtful_claim_of_a_resumed_run_keeps_its_coroutine(
    house: House, end: str
) -> None:
    worker = house.worker(inside=True, slots=1)
    run_id = await asleep(house, worker, 500)
    other = await house.trigger()
    await later(house, 500)
    assert await house.status(run_id) == "queued"
    house.faults.next.append(end)
    worker.finish(other)
    await house.settle()
    assert [order.before for order in worker.took(Resume)] == [1]
    await goes_on(house, worker, run_id, "nap")


@ENDS
async def test_a_doubtful_outcome_of_a_run_that_executes_is_told(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    worker.send(worker.waits(run_id, "nap", after_ms=500))
    await house.settle()
    house.faults.next.append(end)
    await later(house, 500)
    await goes_on(house, worker, run_id, "nap")


@ENDS
async def test_what_is_over_already_is_told_over_a_doubtful_commit(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    house.faults.next.append(end)
    worker.send(worker.waits(run_id, "nap", due_at=1))
    await house.settle()
    await goes_on(house, worker, run_id, "nap")


@ENDS
async def test_a_doubtful_cancel_of_a_parked_run_ends_its_coroutine(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    run_id = await asleep(house, worker)
    house.faults.next.append(end)
    await house.cancel(run_id)
    await house.settle()
    assert await house.status(run_id) == "canceled"
    if end == "lost":
        assert [order.run_id for order in worker.took(Cancel)] == [run_id]
    else:
        assert worker.parked == {}  # fenced, when the rows were read
    assert house.owner.state.holders == {}
    assert await house.leftovers() == []


@ENDS
async def test_outcomes_of_before_a_doubt_are_read_from_the_journal(house: House, end: str) -> None:
    worker = house.worker(inside=True, slots=1)
    run_id = await house.trigger()
    worker.begin(run_id)
    waits = [worker.waits(run_id, "a", after_ms=500), worker.waits(run_id, "b", after_ms=900)]
    worker.send(*waits, worker.parks(run_id, "a", "b"))
    await house.settle()
    other = await house.trigger()
    worker.begin(other)
    await later(house, 500)  # ready, and waits for the slot
    house.faults.next.append(end)
    await house.trigger()
    await later(house, 400)
    worker.finish(other)
    await house.settle()
    [order] = worker.took(Resume)
    assert {entry.key for entry in order.entries} == {"a", "b"}


async def test_frames_that_come_again_after_a_crash_change_nothing(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    worker.record(run_id, Entry("step", 1, "step", data="1"))
    worker.sleep(run_id, "nap", after_ms=HOUR, seq=2)
    await house.settle()
    worker.acked = 0  # the acknowledgements were lost with the server
    await house.crash()
    worker.connect()
    await house.settle()
    assert await house.status(run_id) == "waiting"
    assert run_id in worker.parked
    assert worker.session_id in house.owner.state.sessions
    await later(house, HOUR)
    [order] = worker.took(Resume)
    assert [entry.key for entry in order.entries] == ["nap"]
    assert list(await house.journal(run_id)) == ["step", "nap"]


async def test_a_new_server_is_told_of_parked_coroutines(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await asleep(house, worker, 500)
    await house.crash()
    worker.connect()
    await later(house, 500)
    assert [order.before for order in worker.took(Resume)] == [1]
    await goes_on(house, worker, run_id, "nap")


async def test_a_run_that_became_ready_meanwhile_finds_its_coroutine(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await asleep(house, worker, 500)
    await house.crash()
    await house.advance(500)
    assert await house.status(run_id) == "queued"
    worker.connect()
    worker.answer_revokes()
    await house.settle()
    await goes_on(house, worker, run_id, "nap")


async def test_coroutines_that_nobody_needs_are_fenced(house: House) -> None:
    worker = house.worker()
    canceled = await asleep(house, worker)
    await house.crash()
    await house.cancel(canceled)
    worker.parked["run_unknown"] = Execute("run_unknown", 1, 1, "work", "1", "work")
    worker.connect()
    await house.settle()
    assert worker.parked == {}


async def test_a_run_is_replayed_when_server_and_worker_die(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger({"n": 1})
    worker.begin(run_id)
    worker.record(run_id, Entry("a", 1, "step", data="1"), Entry("b", 2, "step", data="2"))
    worker.sleep(run_id, "nap", after_ms=500, seq=3)
    await house.settle()
    await house.crash()
    house.workers.clear()
    await house.advance(500)
    late = Worker(house, worker.tasks, number=9, inside=True)
    late.connect()
    await house.settle()
    assert [entry.key for entry in late.runs[run_id].journal] == ["a", "b", "nap"]
    await goes_on(house, late, run_id, "a", "b", "nap")


async def test_a_lost_order_to_go_on_is_given_again(house: House) -> None:
    worker = house.worker()
    run_id = await asleep(house, worker, 500)
    worker.drop()
    house.owner.state.sessions[worker.session_id].deliver = lambda orders: None  # into a dead link
    await later(house, 500)
    assert worker.took(Resume) == []
    worker.connect()
    await house.settle()
    assert worker.took(Revoke) == []
    assert [order.before for order in worker.took(Resume)] == [1]
    await goes_on(house, worker, run_id, "nap")


async def test_an_outcome_that_comes_while_the_order_is_put_together_is_told_with_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = house.worker(inside=True, slots=1)
    run_id = await house.trigger()
    worker.begin(run_id)
    child = await house.trigger(parent=run_id)
    waits = [
        worker.waits(run_id, "c", "run", points=[child]),
        worker.waits(run_id, "n", after_ms=5),
    ]
    worker.send(*waits, worker.parks(run_id, "c", "n"))
    await house.settle()
    worker.begin(child)
    house.owner.state.outcomes.clear()
    gate, inner, read = asyncio.Event(), house.owner.store.waits, asyncio.Event()

    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(inner, name)

        async def history(self, *arguments: object) -> object:
            rows = await inner.history(*arguments)
            if not read.is_set():
                read.set()
                await gate.wait()
            return rows

    monkeypatch.setattr(house.owner.store, "waits", Slow())
    other = house.worker(inside=True, slots=0)
    worker.let_go(run_id)
    await house.settle()
    other.drop()
    other.slots = 1
    other.connect()
    house.clock.advance(5)
    house.owner.ring_if_due()
    await read.wait()  # the run is claimed, and its journal read
    worker.finish(child)
    await house.owner.turn_over()
    assert (await house.journal(run_id))["c"].status == "completed"
    gate.set()
    await house.settle()
    assert set(other.told[run_id]) == {"c", "n"}


@ENDS
async def test_a_doubtful_trigger_of_a_run_makes_its_children_once(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    parent = await house.trigger()
    worker.begin(parent)
    await house.settle()
    house.faults.next.append(end)
    for call_id in (1, 2):
        asked = calls.Trigger([request(n) for n in range(3)], "trigger:work", 1)
        worker.call(asked, parent, call_id)
        await house.settle()
    first, second = worker.answered(1), worker.answered(2)
    assert first == second
    assert len((await house.page()).runs) == 4
    assert await house.differences() == []
