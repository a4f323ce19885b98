"""Runs that wait: registered, parked, resolved and resumed, hot and cold."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.wire import calls
from mainspring.wire.worker import (
    Answer,
    Call,
    Cancel,
    Entry,
    Execute,
    Fenced,
    Resolved,
    Resume,
    Started,
)
from tests.engine.house import House, Worker

HOUR = 3_600_000
SOLO = TaskSpec("solo", "solo")
SOLO_QUEUE = QueueSpec("solo", limit=1)


async def asleep(house: House, worker: Worker, ms: int = HOUR, key: str = "nap") -> str:
    """A run that is parked for a while."""
    run_id = await house.trigger()
    worker.begin(run_id)
    worker.sleep(run_id, key, after_ms=ms)
    await house.settle()
    return run_id


async def later(house: House, ms: int) -> None:
    """What was said is taken in, then time passes."""
    await house.settle()
    await house.advance(ms)


async def test_a_parked_run_holds_no_slot_and_is_shown_as_waiting(house: House) -> None:
    worker = house.worker(SOLO, queues=[SOLO_QUEUE], slots=1)
    first = await house.trigger(task="solo")
    second = await house.trigger(task="solo")
    assert list(worker.runs) == [first]
    worker.sleep(first, "nap", after_ms=HOUR)
    await house.settle()
    assert await house.status(first) == "waiting"
    assert list(worker.runs) == [second]
    assert (await house.journal(first))["nap"].status == "pending"
    assert await house.differences() == []


async def test_a_wait_for_time_ends_on_time_and_the_run_goes_on_where_it_stood(
    house: House,
) -> None:
    worker = house.worker(inside=True)
    run_id = await asleep(house, worker)
    await later(house, HOUR - 1)
    assert worker.took(Resume) == []
    await later(house, 1)
    [order] = worker.took(Resume)
    assert (order.run_id, order.before, order.epoch) == (run_id, 1, 2)
    [entry] = order.entries
    assert (entry.key, entry.kind, entry.status, entry.data) == ("nap", "time", "completed", None)
    assert entry.ended_at == house.clock.now()
    worker.finish(run_id, 5)
    await house.settle()
    run = await house.run(run_id)
    assert (run.status, run.output, run.attempt) == ("completed", "5", 1)
    assert await house.leftovers() == []
    assert await house.differences() == []


async def test_a_parent_waits_for_its_child_in_a_queue_for_one(house: House) -> None:
    worker = house.worker(SOLO, queues=[SOLO_QUEUE], slots=1)
    parent = await house.trigger(task="solo")
    child = await house.trigger(task="solo", parent=parent)
    worker.sleep(parent, "child", "run", points=[child])
    await house.settle()
    assert list(worker.runs) == [child]
    worker.finish(child, 7)
    await house.settle()
    assert list(worker.runs) == [parent]
    assert worker.told[parent]["child"].kind == "run"
    assert worker.told[parent]["child"].data is None
    worker.finish(parent)
    await house.settle()
    assert await house.counts() == {"completed": 2}
    assert await house.leftovers() == []


@pytest.mark.parametrize("order", ["wait first", "end first"])
async def test_an_end_and_the_wait_for_it_may_come_in_one_turn(house: House, order: str) -> None:
    one, two = house.worker(slots=1), house.worker(slots=1)
    parent = await house.trigger()
    child = await house.trigger(parent=parent)
    waiter = one if parent in one.runs else two
    other = two if waiter is one else one
    house.faults.open.clear()
    other.begin(child)
    tag = asyncio.ensure_future(house.trigger(99))  # has a commit under way, so that both wait
    await house.faults.entered.wait()
    if order == "wait first":
        waiter.sleep(parent, "c", "run", points=[child])
        other.finish(child)
    else:
        other.finish(child)
        waiter.sleep(parent, "c", "run", points=[child])
    await house.breathe()
    house.faults.open.set()
    await tag
    await house.settle()
    assert waiter.told[parent]["c"].status == "completed"
    assert parent in waiter.runs
    assert await house.differences() == []


async def test_what_is_over_already_is_told_at_once(house: House) -> None:
    worker = house.worker()
    parent = await house.trigger()
    child = await house.trigger(parent=parent)
    worker.finish(child)
    await house.settle()
    now = house.clock.now()
    worker.send(
        worker.waits(parent, "a", "run", points=[child]),
        worker.waits(parent, "b", "time", due_at=now - 5),
        worker.waits(parent, "c", "run", points=[]),
        worker.waits(parent, "d", "run", points=["run_unknown"]),
        worker.waits(parent, "e", "event", points=["never"], due_at=now),
    )
    await house.settle()
    ends = {key: entry.status for key, entry in worker.told[parent].items()}
    assert ends == dict.fromkeys("abcd", "completed") | {"e": "timed_out"}
    assert len(worker.took(Resolved)) == 1
    assert await house.leftovers() == []


async def test_a_wait_that_times_out_says_so(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.sleep(run_id, "news", "event", points=["news"], after_ms=5_000)
    await later(house, 5_000)
    assert worker.told[run_id]["news"].status == "timed_out"
    assert (await house.journal(run_id))["news"].status == "timed_out"
    assert await house.leftovers() == []


async def test_a_wait_for_many_is_over_with_the_last(house: House) -> None:
    worker = house.worker()
    parent = await house.trigger()
    children = [await house.trigger(parent=parent) for _ in range(4)]
    worker.finish(children[0])
    await house.settle()
    worker.sleep(parent, "all", "run", points=children, after_ms=HOUR)
    await house.settle()
    line = (await house.journal(parent))["all"]
    assert set(line.points) == set(children[1:])
    worker.finish(children[1])
    await house.settle()
    assert parent in worker.parked
    worker.finish(children[2], outcome="aborted")
    worker.finish(children[3])
    await house.settle()
    assert parent in worker.runs
    assert worker.told[parent]["all"].status == "completed"
    assert await house.leftovers() == []


async def test_the_first_of_two_waits_resumes_the_run_and_the_other_stays(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    short, long = (worker.waits(run_id, key, after_ms=ms) for key, ms in (("a", 5), ("b", 50)))
    worker.send(short, long, worker.parks(run_id, "a", "b"))
    await later(house, 5)
    assert set(worker.told[run_id]) == {"a"}
    worker.send(worker.parks(run_id, "b"))
    await house.settle()
    assert await house.status(run_id) == "waiting"
    await later(house, 45)
    assert set(worker.told[run_id]) == {"a", "b"}
    assert worker.runs[run_id].epoch == 3
    assert await house.leftovers() == []


async def test_two_waits_that_end_together_resume_once(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    waits = [worker.waits(run_id, key, after_ms=5) for key in "abc"]
    worker.send(*waits, worker.parks(run_id, *"abc"))
    await later(house, 5)
    [order] = worker.took(Resume)
    assert {entry.key for entry in order.entries} == {"a", "b", "c"}


async def test_what_ends_while_the_run_waits_for_a_slot_is_told_with_it(house: House) -> None:
    worker = house.worker(SOLO, queues=[SOLO_QUEUE], inside=True)
    first = await house.trigger(task="solo")
    second = await house.trigger(task="solo")
    waits = [worker.waits(first, "a", after_ms=5), worker.waits(first, "b", after_ms=50)]
    worker.send(*waits, worker.parks(first, "a", "b"))
    await house.settle()
    assert list(worker.runs) == [second]
    await later(house, 5)
    assert await house.status(first) == "queued"
    await later(house, 45)
    worker.finish(second)
    await house.settle()
    [order] = worker.took(Resume)
    assert {entry.key for entry in order.entries} == {"a", "b"}


async def test_a_resumed_run_goes_ahead_of_new_ones(house: House) -> None:
    worker = house.worker(SOLO, queues=[SOLO_QUEUE], inside=True)
    first = await house.trigger(task="solo")
    others = [await house.trigger(task="solo") for _ in range(3)]
    worker.sleep(first, "nap", after_ms=5)
    await later(house, 5)
    assert list(worker.runs) == [others[0]]
    worker.finish(others[0])
    await house.settle()
    assert list(worker.runs) == [first]


async def test_a_wait_that_comes_again_keeps_its_first_end(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.send(worker.waits(run_id, "nap", after_ms=10))
    await later(house, 6)
    worker.send(worker.waits(run_id, "nap", after_ms=10))
    await later(house, 4)
    assert set(worker.told[run_id]) == {"nap"}
    worker.send(worker.waits(run_id, "nap", after_ms=10))
    await house.settle()
    assert len(worker.took(Resolved)) == 2  # told again, not waited for again
    assert await house.leftovers() == []


async def test_a_wait_that_is_over_when_the_run_parks_keeps_it_in_its_slot(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.send(worker.waits(run_id, "a", after_ms=5), worker.waits(run_id, "b", after_ms=HOUR))
    await later(house, 5)
    worker.send(worker.parks(run_id, "a", "b"))  # was on its way when the outcome came
    await house.settle()
    assert await house.status(run_id) == "executing"
    assert run_id in house.owner.state.lives


async def test_the_holder_gets_its_run_back_though_its_slots_are_taken(house: House) -> None:
    full, free = house.worker(slots=1), house.worker(slots=0)
    run_id = await house.trigger()
    full.sleep(run_id, "nap", after_ms=5)
    await house.settle()
    other = await house.trigger()
    assert list(full.runs) == [other]
    free.drop()
    free.slots = 1
    free.connect()
    await later(house, 5)
    assert set(full.runs) == {run_id, other}
    assert free.runs == {}


async def test_a_run_whose_holder_is_gone_is_replayed_elsewhere(house: House) -> None:
    one, two = house.worker(slots=1), house.worker(slots=0)
    run_id = await house.trigger({"n": 1})
    one.record(run_id, Entry("charge", 1, "step", data='"ok"', fingerprint="f"))
    one.sleep(run_id, "nap", after_ms=5, seq=2)
    await house.settle()
    house.engine.lost(house.env, one.session_id)
    two.drop()
    two.slots = 1
    two.connect()
    await later(house, 5)
    [order] = two.took(Execute)
    assert (order.payload, order.epoch, order.attempt) == ('{"n":1}', 2, 1)
    assert [(entry.key, entry.data) for entry in order.journal] == [
        ("charge", '"ok"'),
        ("nap", None),
    ]
    assert order.journal[0].fingerprint == "f"
    assert await house.differences() == []


async def test_a_session_that_dropped_a_run_gets_it_with_its_journal(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await asleep(house, worker, 5)
    worker.let_go(run_id)
    await later(house, 5)
    assert worker.took(Resume) == []
    assert set(worker.told[run_id]) == {"nap"}
    assert worker.runs[run_id].epoch == 2


async def test_a_resume_that_is_refused_becomes_a_replay(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await asleep(house, worker, 5)
    worker.parked.clear()  # as after a bug
    await later(house, 5)
    assert len(worker.took(Resume)) == 1
    assert worker.runs[run_id].epoch == 3
    assert [entry.key for entry in worker.runs[run_id].journal] == ["nap"]


async def test_a_holder_without_a_link_is_passed_over_and_fenced_when_it_is_back(
    house: House,
) -> None:
    one, two = house.worker(slots=1), house.worker(slots=0)
    run_id = await asleep(house, one, 5)
    two.drop()
    two.slots = 1
    two.connect()
    one.drop()
    await later(house, 5)
    assert list(two.runs) == [run_id]
    one.connect()
    await house.settle()
    assert one.parked == {}
    two.finish(run_id)
    await house.settle()
    assert await house.status(run_id) == "completed"


async def test_outcomes_that_a_broken_link_swallowed_are_told_again(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    worker.send(worker.waits(run_id, "nap", after_ms=5))
    await house.settle()
    worker.drop()
    await later(house, 5)
    assert worker.told[run_id] == {}
    worker.connect()
    await house.settle()
    assert set(worker.told[run_id]) == {"nap"}


async def test_an_answer_that_a_broken_link_swallowed_is_given_with_the_repeated_frame(
    house: House,
) -> None:
    worker = house.worker()
    await house.settle()
    house.faults.entered.clear()
    house.faults.open.clear()
    held = asyncio.ensure_future(house.trigger())  # so that no frame is acknowledged now
    await house.faults.entered.wait()
    worker.send(Call(1, msgspec.Raw(b"")))  # unreadable, which is answered without the store
    worker.drop()
    await house.breathe()
    worker.connect()
    answers = worker.took(Answer)
    house.faults.open.set()
    await held
    assert [answer.call_id for answer in answers] == [1]


@pytest.mark.parametrize("parks", [True, False])
async def test_a_run_that_went_on_unheard_is_told_outcomes_when_its_session_is_back(
    house: House, parks: bool
) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    waits = [
        worker.waits(run_id, "short", after_ms=5),
        worker.waits(run_id, "long", after_ms=3_000),
    ]
    worker.send(*waits, worker.parks(run_id, "short", "long"))
    await later(house, 5)
    worker.drop()
    said = worker.send(worker.parks(run_id, "long") if parks else Started([(run_id, 2)]))
    await later(house, 3_000)
    worker.acked = said.number  # it comes again, but only after the welcome
    worker.connect()
    await house.settle()
    assert len(worker.took(Resume)) == 1
    assert {entry.key for entry in worker.took(Resolved)[-1].entries} == {"short", "long"}
    worker.repeat(said)
    await house.settle()
    assert await house.status(run_id) == "executing"
    assert await house.differences() == []


async def test_a_run_awaited_by_a_stranger_wakes_it(house: House) -> None:
    worker = house.worker()
    other, waiter = await house.trigger(), await house.trigger()
    worker.sleep(waiter, "other", "run", points=[other])
    await house.settle()
    worker.finish(other)
    await house.settle()
    assert set(worker.told[waiter]) == {"other"}
    again, late = await house.trigger(), await house.trigger()
    worker.sleep(late, "again", "run", points=[again])
    await house.settle()
    await house.crash()
    worker.connect()
    await house.settle()
    worker.finish(again)
    await house.settle()
    assert set(worker.told[late]) == {"again"}
    assert await house.leftovers() == []


async def test_a_canceled_child_wakes_its_parent(house: House) -> None:
    worker = house.worker(slots=1)
    parent = await house.trigger()
    child = await house.trigger(parent=parent, delay_ms=HOUR)
    worker.sleep(parent, "child", "run", points=[child])
    await house.settle()
    await house.cancel(child)
    await house.settle()
    assert set(worker.told[parent]) == {"child"}


async def test_an_expired_child_wakes_its_parent(house: House) -> None:
    worker = house.worker(slots=1, inside=True)
    parent, other = await house.trigger(), await house.trigger()
    child = await house.trigger(parent=parent, ttl_ms=5)
    worker.sleep(parent, "child", "run", points=[child])
    await house.settle()
    assert list(worker.runs) == [other]
    await later(house, 5)
    worker.finish(other)
    await house.settle()
    assert set(worker.told[parent]) == {"child"}


async def test_a_parked_run_is_canceled_at_once_and_its_coroutine_too(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    child = await house.trigger(parent=run_id, delay_ms=HOUR)
    worker.send(
        worker.waits(run_id, "child", "run", points=[child], after_ms=HOUR),
        worker.waits(run_id, "nap", after_ms=HOUR),
        worker.parks(run_id, "child", "nap"),
    )
    await house.settle()
    await house.cancel(run_id)
    await house.settle()
    assert await house.status(run_id) == "canceled"
    assert await house.status(child) == "canceled"
    [order] = worker.took(Cancel)
    assert (order.run_id, order.epoch) == (run_id, 1)
    assert await house.leftovers() == []
    worker.finish(run_id, outcome="canceled", epoch=1)
    await house.settle()
    assert len(worker.took(Fenced)) == 1
    assert await house.differences() == []


async def test_a_resumed_run_that_waits_for_a_slot_is_canceled_in_its_session(
    house: House,
) -> None:
    worker = house.worker(SOLO, queues=[SOLO_QUEUE], inside=True)
    first = await house.trigger(task="solo")
    await house.trigger(task="solo")
    worker.sleep(first, "nap", after_ms=5)
    await later(house, 5)
    await house.cancel(first)
    await house.settle()
    assert await house.status(first) == "canceled"
    assert [order.epoch for order in worker.took(Cancel)] == [1]
    assert house.owner.state.outcomes == {}
    assert await house.differences() == []


async def test_a_run_that_is_being_canceled_is_not_parked(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    await house.cancel(run_id)
    worker.sleep(run_id, "nap", after_ms=5)
    await house.settle()
    assert await house.status(run_id) == "executing"
    worker.finish(run_id, outcome="canceled", epoch=1)
    await house.settle()
    assert await house.status(run_id) == "canceled"
    assert await house.leftovers() == []


@pytest.mark.parametrize("outcome", ["completed", "failed", "aborted", "timed_out"])
async def test_an_end_drops_what_the_run_still_waits_for(house: House, outcome: str) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(max_attempts=1)
    worker.send(
        worker.waits(run_id, "nap", after_ms=HOUR),
        worker.waits(run_id, "news", "event", points=["news"], after_ms=HOUR),
    )
    worker.finish(run_id, outcome=outcome)
    await house.settle()
    assert (await house.run(run_id)).status.is_final
    assert await house.leftovers() == []
    assert await house.differences() == []


async def test_waits_outlive_a_failed_attempt(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(max_attempts=2)
    worker.send(worker.waits(run_id, "nap", after_ms=500))
    worker.finish(run_id, outcome="retry", retry_after_ms=1_000)
    await later(house, 500)
    await later(house, 500)
    order = worker.runs[run_id]
    assert (order.attempt, [entry.key for entry in order.journal]) == (2, ["nap"])
    worker.send(worker.waits(run_id, "nap", after_ms=500))
    worker.finish(run_id)
    await house.settle()
    assert await house.leftovers() == []


async def test_the_time_that_bodies_ran_adds_up_over_parks(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    for number in range(3):
        wait = worker.waits(run_id, f"nap#{number}", after_ms=5)
        worker.send(wait, worker.parks(run_id, f"nap#{number}", active_ms=100))
        await later(house, 5)
    worker.finish(run_id, active_ms=7)
    await house.settle()
    assert (await house.run(run_id)).active_ms == 307


async def test_many_resumes_are_no_losses(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    for number in range(15):
        worker.sleep(run_id, f"nap#{number}", after_ms=5)
        await later(house, 5)
    worker.begin(run_id)
    await house.settle()
    house.engine.lost(house.env, worker.session_id)
    other = house.worker(inside=True)
    await house.settle()
    assert len(other.runs[run_id].journal) == 15
    other.finish(run_id)
    await house.settle()
    assert await house.status(run_id) == "completed"


async def test_an_attempt_that_lost_its_run_may_not_wait(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.send(worker.waits(run_id, "nap", after_ms=5, epoch=7))
    worker.record("run_none", Entry("a", 1, "step"), epoch=1)
    await house.settle()
    orders = [type(order).__name__ for order in worker.orders]
    assert orders[-4:] == ["Fenced", "Fenced", "Ack", "Ack"]  # silenced before it may go on
    assert await house.journal(run_id) == {}


def reads_of(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the reads of waits and journals from now on."""
    names: list[str] = []

    class Watched:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            names.append(name)
            return getattr(self._inner, name)

    store = house.owner.store
    monkeypatch.setattr(store, "waits", Watched(store.waits))
    return names


async def test_a_run_without_parent_journal_and_waits_reads_nothing_of_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = house.worker(slots=2)
    names = reads_of(house, monkeypatch)
    for outcome in ("completed", "aborted"):
        ids = [await house.trigger() for _ in range(4)]
        for run_id in ids:
            worker.finish(run_id, outcome=outcome)
            await house.settle()
    canceled = await house.trigger()
    await house.cancel(canceled)
    worker.finish(canceled)
    await house.settle()
    assert names == []


async def test_a_hot_resume_reads_no_journal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = house.worker(inside=True)
    await asleep(house, worker, 5)
    names = reads_of(house, monkeypatch)
    await later(house, 5)
    assert len(worker.took(Resume)) == 1
    assert "history" not in names


@pytest.mark.parametrize("place", ["active", "parked", "replayed", "told again"])
async def test_large_outcomes_are_told_inline(house: House, place: str) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    token = await house.ask(calls.CreateToken())
    messages: list[Any] = [worker.waits(run_id, "ok", "token", points=[token.id])]
    if place in ("parked", "replayed"):
        messages.append(worker.parks(run_id, "ok"))
    worker.send(*messages)
    await house.settle()
    if place == "replayed":
        worker.let_go(run_id)
    large = '"' + "x" * 100_000 + '"'
    await house.ask(calls.CompleteToken(token.id, large))
    await house.settle()
    if place == "told again":
        worker.told[run_id].clear()
        worker.send(worker.waits(run_id, "ok", "token", points=[token.id]))
        await house.settle()
    assert worker.told[run_id]["ok"].data == large
    assert run_id in worker.runs
    assert await house.differences() == []
