"""How attempts end: success, another attempt, a final failure, a cancel. One end for each run."""

import asyncio

import pytest

from mainspring.model.retry import RetryPolicy
from mainspring.model.run import INLINE_LIMIT, OUTPUT_LIMIT, RunError
from mainspring.model.task import TaskSpec, default_queue
from mainspring.wire import calls
from mainspring.wire.worker import Cancel, Capacity, Execute, Fenced
from tests.engine.house import House, request

BROKEN = RunError("the disk is full", "OSError", "Traceback …", details={"free": 0})


async def test_a_failed_attempt_is_tried_again_with_growing_delays(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    for attempt, low, high in ((1, 1000, 2000), (2, 2000, 4000)):
        assert worker.runs[run_id].attempt == attempt
        worker.finish(run_id, outcome="failed", error=BROKEN)
        await house.settle()
        run = await house.run(run_id)
        assert run.status == "executing"  # as the wire contract has it; it holds no slot
        assert run.retry_at is not None
        assert low <= run.retry_at - house.clock.now() < high
        await house.advance(run.retry_at - house.clock.now() - 1)
        assert run_id not in worker.runs
        await house.advance(1)
    worker.finish(run_id, outcome="failed", error=BROKEN)
    await house.settle()
    run = await house.run(run_id)
    assert (run.status, run.attempt, run.max_attempts) == ("failed", 3, 3)
    assert run.error == BROKEN
    assert await house.differences() == []


async def test_a_waiting_retry_holds_no_slot(house: House) -> None:
    worker = house.worker(slots=1, inside=True)
    first = await house.trigger(1)
    second = await house.trigger(2)
    worker.finish(first, outcome="failed", retry_after_ms=5000)
    await house.settle()
    assert list(worker.runs) == [second]


async def test_the_tasks_own_retry_policy_rules(house: House) -> None:
    policy = RetryPolicy(max_attempts=2, min_delay_ms=50, factor=1, jitter=False)
    worker = house.worker(TaskSpec("once", default_queue("once"), policy), inside=True)
    run_id = await house.trigger(task="once")
    worker.finish(run_id, outcome="failed")
    await house.settle()
    await house.advance(49)
    assert not worker.runs
    await house.advance(1)
    worker.finish(run_id, outcome="failed")
    await house.settle()
    assert await house.status(run_id) == "failed"


async def test_a_trigger_can_say_how_many_attempts(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger(max_attempts=1)
    assert worker.runs[run_id].max_attempts == 1
    worker.finish(run_id, outcome="failed", error=BROKEN)
    await house.settle()
    assert await house.status(run_id) == "failed"


async def test_a_task_can_ask_for_its_next_attempt_at_a_time_of_its_choice(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.finish(run_id, outcome="retry", retry_after_ms=300_000)
    await house.settle()
    await house.advance(299_999)
    assert not worker.runs
    await house.advance(1)
    assert worker.runs[run_id].attempt == 2


async def test_asking_for_another_attempt_counts_as_one(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    for _ in range(3):
        worker.finish(run_id, outcome="retry", retry_after_ms=0, error=BROKEN)
        await house.settle()
    assert (await house.run(run_id)).attempt == 3
    assert await house.status(run_id) == "failed"


@pytest.mark.parametrize("after", [-(1 << 40), 1 << 62, 1 << 63])
async def test_a_wild_retry_delay_harms_nobody(house: House, after: int) -> None:
    worker = house.worker()
    wild = await house.trigger(1)
    tame = await house.trigger(2)
    worker.finish(wild, outcome="retry", retry_after_ms=after)
    worker.finish(tame)
    await house.settle()
    assert await house.status(tame) == "completed"
    assert worker.acked == 2
    assert not (await house.run(wild)).status.is_final
    assert await house.differences() == []


@pytest.mark.parametrize(
    "outcome, status",
    [
        ("aborted", "failed"),
        ("invalid_payload", "failed"),
        ("timed_out", "timed_out"),
        ("canceled", "canceled"),
        ("rubbish", "system_failure"),
    ],
)
async def test_some_outcomes_are_final_at_the_first_attempt(
    house: House, outcome: str, status: str
) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.finish(run_id, outcome=outcome, error=BROKEN)
    await house.settle()
    run = await house.run(run_id)
    assert (run.status, run.attempt, run.error) == (status, 1, BROKEN)


async def test_a_crash_of_the_body_is_tried_again_and_ends_as_crashed(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(max_attempts=2)
    worker.finish(run_id, outcome="crashed", error=BROKEN)
    await house.settle()
    await house.advance(10_000)
    worker.finish(run_id, outcome="crashed", error=BROKEN)
    await house.settle()
    assert await house.status(run_id) == "crashed"


async def test_a_failure_without_an_error_still_says_something(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger(max_attempts=1)
    worker.finish(run_id, outcome="failed")
    await house.settle()
    error = (await house.run(run_id)).error
    assert error is not None
    assert "failed" in error.message


async def test_the_active_time_of_all_attempts_adds_up(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(max_duration_ms=1000)
    worker.finish(run_id, outcome="failed", active_ms=300, retry_after_ms=5)
    await house.settle()
    await house.advance(5)
    assert (worker.runs[run_id].active_ms, worker.runs[run_id].max_duration_ms) == (300, 1000)
    worker.finish(run_id, active_ms=200)
    await house.settle()
    assert (await house.run(run_id)).active_ms == 500


async def test_an_output_above_64_kib_goes_through_the_object_store(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    waiter = asyncio.ensure_future(house.ask(calls.AwaitRun(run_id, 60_000)))
    worker.finish(run_id, "x" * INLINE_LIMIT)
    expected = '"' + "x" * INLINE_LIMIT + '"'
    assert (await waiter).output == expected
    run = await house.run(run_id)
    assert run.output == expected
    assert run.output_ref is not None


async def test_frames_after_a_large_output_keep_their_order(house: House) -> None:
    worker = house.worker()
    ids = [await house.trigger(n) for n in range(4)]
    for n, run_id in enumerate(ids):
        worker.finish(run_id, "x" * (INLINE_LIMIT if n % 2 == 0 else 5))
    await house.settle()
    assert worker.acked == 4
    assert await house.counts() == {"completed": 4}


async def test_an_output_over_the_limit_fails_the_run_and_names_the_limit(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.finish(run_id, "x" * OUTPUT_LIMIT)
    await house.settle()
    run = await house.run(run_id)
    assert (run.status, run.output, run.attempt) == ("failed", None, 1)
    assert run.error is not None
    assert "10" in run.error.message


@pytest.mark.parametrize("output", ['"a\0b"', '"\\u0000"', "{", "", '"\\ud800"'])
async def test_an_output_that_cannot_be_stored_fails_the_run_and_nothing_else(
    house: House, output: str
) -> None:
    worker = house.worker()
    bad, good = await house.trigger(1), await house.trigger(2)
    worker.finish(bad, raw=output)
    worker.finish(good, 5)
    await house.settle()
    assert await house.status(good) == "completed"
    run = await house.run(bad)
    assert run.status == "failed"
    assert run.error is not None
    assert worker.acked == 2
    assert await house.differences() == []


async def test_an_error_that_cannot_be_stored_is_told_as_far_as_it_can(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger(max_attempts=1)
    other = await house.trigger()
    odd = RunError("half \ud800 and \0 nothing", "Odd\0", "stack \udfff", details={"a": "\ud800"})
    worker.finish(run_id, outcome="failed", error=odd)
    worker.finish(other)
    await house.settle()
    assert await house.status(other) == "completed"
    run = await house.run(run_id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.message.startswith("half ")


async def test_a_cancel_ends_a_waiting_run_at_once(house: House) -> None:
    house.worker(slots=0)
    for options in ({}, {"delay_ms": 60_000}):
        run_id = await house.trigger(**options)
        run = await house.cancel(run_id)
        assert (run.status, run.attempt, run.started_at) == ("canceled", 0, None)
    assert await house.differences() == []


async def test_a_cancel_ends_a_waiting_retry_at_once(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.finish(run_id, outcome="failed", error=BROKEN)
    await house.settle()
    assert (await house.cancel(run_id)).status == "canceled"
    await house.advance(60_000)
    assert not worker.runs


async def test_a_cancel_of_an_executing_run_goes_to_its_worker(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    run = await house.cancel(run_id)
    assert run.status == "executing"
    assert run.cancel_requested_at == house.clock.now()
    assert [order.run_id for order in worker.took(Cancel)] == [run_id]
    worker.finish(run_id, outcome="canceled")
    await house.settle()
    assert await house.status(run_id) == "canceled"


@pytest.mark.parametrize("outcome", ["completed", "failed", "retry", "crashed", "timed_out"])
async def test_whatever_ends_after_an_acknowledged_cancel_ends_canceled(
    house: House, outcome: str
) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.cancel(run_id)
    worker.finish(run_id, outcome=outcome)
    await house.settle()
    run = await house.run(run_id)
    assert (run.status, run.output) == ("canceled", None)
    assert await house.differences() == []


async def test_a_cancel_holds_its_slot_until_the_body_ends(house: House) -> None:
    worker = house.worker(slots=1)
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.trigger()
    await house.cancel(run_id)
    await house.settle()
    assert list(worker.runs) == [run_id]
    worker.finish(run_id, outcome="canceled")
    await house.settle()
    assert run_id not in worker.runs
    assert len(worker.runs) == 1


async def test_a_canceled_run_whose_worker_is_lost_does_not_run_again(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.cancel(run_id)
    house.engine.lost(house.env, worker.session_id)
    await house.settle()
    assert await house.status(run_id) == "canceled"
    assert await house.differences() == []


async def test_a_body_that_ignores_its_cancel_loses_its_slot_after_the_grace_time(
    house: House,
) -> None:
    worker = house.worker(slots=1, inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.cancel(run_id)
    await house.advance(60_000)
    assert await house.status(run_id) == "canceled"
    assert [order.run_id for order in worker.took(Fenced)] == [run_id]
    assert await house.differences() == []


async def test_a_clock_that_is_set_forward_leaves_a_canceled_body_its_grace_time(
    house: House,
) -> None:
    worker = house.worker(slots=1, inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.cancel(run_id)
    house.clock._now += 3_600_000
    await house.advance(1_000)
    assert await house.status(run_id) == "executing"
    assert worker.took(Fenced) == []
    await house.advance(60_000)
    assert await house.status(run_id) == "canceled"


async def test_a_cancel_reaches_a_run_whose_payload_is_still_being_fetched(house: House) -> None:
    worker = house.worker(slots=0)
    run_id = await house.trigger("x" * INLINE_LIMIT)
    fetched = asyncio.Event()
    get = house.objects.get

    async def slowly(ref: str) -> str:
        await fetched.wait()
        return await get(ref)

    house.objects.get = slowly
    worker.send(Capacity(1))
    while run_id not in house.owner.state.lives:
        await house.breathe()
    house.objects.get = get
    await house.cancel(run_id)
    fetched.set()
    await house.settle()
    mine = [type(order) for order in worker.orders if getattr(order, "run_id", "") == run_id]
    assert mine[-2:] == [Execute, Cancel]


async def test_two_cancels_are_one(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    first, second = await asyncio.gather(house.cancel(run_id), house.cancel(run_id))
    assert first.cancel_requested_at == second.cancel_requested_at
    worker.finish(run_id, outcome="canceled")
    await house.settle()
    assert (await house.cancel(run_id)).status == "canceled"
    assert len(worker.took(Cancel)) == 1


async def test_a_cancel_of_a_finished_run_changes_nothing(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.finish(run_id, 1)
    await house.settle()
    assert (await house.cancel(run_id)).status == "completed"


async def test_a_finish_and_a_cancel_in_one_turn_have_one_end(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    house.faults.open.clear()
    blocker = asyncio.ensure_future(house.trigger())
    await house.faults.entered.wait()
    canceling = asyncio.ensure_future(house.cancel(run_id))
    await house.breathe()
    worker.finish(run_id, 1)
    house.faults.open.set()
    await asyncio.gather(blocker, canceling)
    await house.settle()
    assert await house.status(run_id) in ("completed", "canceled")
    assert await house.differences() == []


async def test_the_children_of_a_canceled_run_are_canceled_too(house: House) -> None:
    worker = house.worker(slots=4)
    parent = await house.trigger()
    worker.begin(parent)
    children = [await house.trigger(n, parent=parent) for n in range(3)]
    waiting = [await house.trigger(n, parent=parent, delay_ms=60_000) for n in range(3)]
    grandchild = await house.trigger(parent=children[0])
    await house.settle()
    worker.begin(*children)
    stranger = await house.trigger()
    await house.cancel(parent)
    await house.settle()
    canceled = {order.run_id for order in worker.took(Cancel)}
    assert canceled == {parent, *children}
    assert {await house.status(run_id) for run_id in (*waiting, grandchild)} == {"canceled"}
    assert await house.status(stranger) == "queued"


async def test_a_cascade_reaches_hundreds_of_children(house: House) -> None:
    worker = house.worker(slots=1)
    parent = await house.trigger()
    worker.begin(parent)
    await house.batch([request(n) for n in range(1000)], parent)
    await house.batch([request(n) for n in range(300)], parent)
    await house.cancel(parent)
    await house.settle()
    assert await house.counts() == {"executing": 1, "canceled": 1300}


async def test_a_cascade_goes_on_after_the_server_died(house: House) -> None:
    worker = house.worker(slots=1)
    parent = await house.trigger()
    worker.begin(parent)
    child = await house.trigger(parent=parent)
    house.faults.hold = lambda changes: bool(changes.done)  # it dies before the child's end
    await house.cancel(parent)
    await house.faults.held.wait()
    assert await house.status(child) == "queued"
    house.faults.hold = lambda changes: False
    await house.crash()
    await house.settle()
    assert await house.status(child) == "canceled"
    assert await house.differences() == []


async def test_a_cascade_leaves_no_timer_when_the_clock_went_back_in_doubt(house: House) -> None:
    worker = house.worker(slots=1)
    parent = await house.trigger()
    worker.begin(parent)
    child = await house.trigger(parent=parent)
    house.faults.next.extend(["ok", "lost"])  # the cancel, and the child's end
    house.clock.advance(60_000)
    canceling = asyncio.ensure_future(house.cancel(parent))
    while house.faults.next:  # noqa: ASYNC110 - the engine's turns, not time
        await asyncio.sleep(0)
    house.clock._now -= 40_000
    await canceling
    await house.settle()
    assert await house.status(child) == "canceled"
    assert await house.differences() == []


async def test_awaiting_a_run_answers_when_it_ends(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    waiters = [asyncio.ensure_future(house.ask(calls.AwaitRun(run_id, 60_000))) for _ in range(3)]
    await house.breathe()
    worker.finish(run_id, 7)
    for waiter in waiters:
        run = await waiter
        assert (run.status, run.output) == ("completed", "7")
    assert (await house.ask(calls.AwaitRun(run_id, 60_000))).output == "7"


async def test_awaiting_a_run_that_ends_without_a_worker_answers_too(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(ttl_ms=1000)
    other = await house.trigger()
    waiters = [
        asyncio.ensure_future(house.ask(calls.AwaitRun(one, 60_000))) for one in (run_id, other)
    ]
    await house.breathe()
    await house.advance(1000)
    await house.cancel(other)
    assert [(await waiter).status for waiter in waiters] == ["expired", "canceled"]


async def test_awaiting_with_no_time_left_answers_with_the_run_as_it_is(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    assert (await house.ask(calls.AwaitRun(run_id, 0))).status == "queued"
    assert (await house.ask(calls.AwaitRun(run_id, 1))).status == "queued"
    assert house.owner.state.waiters == {}


async def test_an_awaited_run_is_told_with_its_end(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger({"n": 1}, max_attempts=1)
    waiter = asyncio.ensure_future(house.ask(calls.AwaitRun(run_id, 60_000)))
    await house.breathe()
    worker.finish(run_id, outcome="failed", error=BROKEN, active_ms=7)
    told, run = await waiter, await house.run(run_id)
    for name in ("id", "status", "output", "error", "attempt", "finished_at", "active_ms"):
        assert getattr(told, name) == getattr(run, name), name


async def test_a_run_is_executed_once_when_all_goes_well(house: House) -> None:
    worker = house.worker(slots=7)
    await house.batch([request(n) for n in range(200)])
    while worker.runs:
        for run_id in list(worker.runs):
            worker.finish(run_id)
        await house.settle()
    orders = [order.run_id for order in worker.took(Execute)]
    assert len(orders) == len(set(orders)) == 200
    assert await house.counts() == {"completed": 200}
