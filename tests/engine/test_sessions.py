"""Workers come, fall silent, lose their link and die; their runs go on under one lease."""

import asyncio

import msgspec
import pytest

from mainspring.errors import Conflict
from mainspring.model.run import RunError, TriggerRequest
from mainspring.model.task import TaskSpec, default_queue
from mainspring.wire import calls
from mainspring.wire.worker import (
    Ack,
    Answer,
    Cancel,
    Capacity,
    Execute,
    Fenced,
    Goodbye,
    Hello,
    LogLine,
    Logs,
    Revoke,
    Welcome,
)
from tests.engine.house import House, request


async def test_a_session_is_welcomed_with_its_environment_and_lease(house: House) -> None:
    worker = house.worker()
    (welcome,) = worker.took(Welcome)
    assert (welcome.environment, welcome.lease_s, welcome.acked) == ("dev", 15.0, 0)


async def test_a_worker_of_another_protocol_is_refused(house: House) -> None:
    with pytest.raises(Conflict, match="protocol 99"):
        house.engine.connect(house.env, Hello(99, "ses_x", 1, "", [], []), lambda orders: None)


async def test_a_hello_that_comes_late_takes_no_link_from_a_newer_one(house: House) -> None:
    worker = house.worker()
    worker.drop()
    worker.connect()
    with pytest.raises(Conflict, match="newer link"):
        worker.knock(late=True)
    run_id = await house.trigger()
    assert list(worker.runs) == [run_id]


async def test_a_session_belongs_to_one_environment(house: House) -> None:
    house.worker()
    other = msgspec.structs.replace(house.env, env_id=house.env.env_id + 1)
    with pytest.raises(Conflict, match="another environment"):
        house.engine.connect(other, Hello(1, "ses_1", 1, "", [], []), lambda orders: None)


async def test_runs_spread_over_the_workers(house: House) -> None:
    workers = [house.worker(slots=2) for _ in range(3)]
    await house.batch([request(n) for n in range(6)])
    await house.settle()
    assert [len(worker.runs) for worker in workers] == [2, 2, 2]


async def test_a_lost_worker_costs_no_attempt(house: House) -> None:
    first = house.worker()
    run_id = await house.trigger()
    first.begin(run_id)
    house.engine.lost(house.env, first.session_id)
    second = house.worker()
    await house.settle()
    order = second.runs[run_id]
    assert (order.attempt, order.epoch) == (1, 2)
    second.finish(run_id, 1)
    await house.settle()
    assert await house.status(run_id) == "completed"


async def test_a_silent_worker_is_reaped_after_fifteen_seconds(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.live(15_000)
    assert await house.status(run_id) == "executing"
    await house.advance(1)
    assert await house.status(run_id) == "queued"
    assert worker.took(Goodbye)
    assert not await worker.beat()
    assert await house.differences() == []


async def test_a_beating_worker_is_never_reaped(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    for _ in range(10):
        await house.live(14_000)
        assert await worker.beat()
    assert await house.status(run_id) == "executing"


async def test_a_worker_inside_the_process_needs_no_beats(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.advance(3_600_000)
    assert await house.status(run_id) == "executing"


async def test_a_reaped_session_cannot_finish_what_it_held(house: House) -> None:
    old = house.worker()
    run_id = await house.trigger()
    old.begin(run_id)
    old.drop()
    await house.live(15_001)
    new = house.worker()
    await house.settle()
    assert run_id in new.runs
    old.finish(run_id, "late")
    old.connect()
    await house.settle()
    assert [order.epoch for order in old.took(Fenced) if order.run_id == run_id]
    assert run_id in new.runs
    new.finish(run_id, "right")
    await house.settle()
    assert (await house.run(run_id)).output == '"right"'


async def test_a_worker_that_comes_back_after_its_lease_is_told_what_it_has_lost(
    house: House,
) -> None:
    old = house.worker()
    run_id = await house.trigger()
    old.begin(run_id)
    old.drop()
    await house.live(15_001)
    new = house.worker()
    await house.settle()
    old.connect()
    await house.settle()
    assert (run_id, 1) in [(order.run_id, order.epoch) for order in old.took(Fenced)]
    assert run_id in new.runs
    assert run_id not in old.runs


async def test_a_broken_link_is_not_yet_a_loss(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    worker.drop()
    await house.live(14_000)
    assert await house.status(run_id) == "executing"
    worker.finish(run_id, 1)
    worker.connect()
    await house.settle()
    assert await house.status(run_id) == "completed"
    assert worker.acked == 2
    assert await house.differences() == []


async def test_no_run_is_given_to_a_worker_without_a_link(house: House) -> None:
    worker = house.worker()
    worker.drop()
    run_id = await house.trigger()
    await house.settle()
    assert await house.status(run_id) == "queued"
    worker.connect()
    await house.settle()
    assert run_id in worker.runs


async def test_a_repeated_frame_is_acknowledged_and_changes_nothing(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    frame = worker.finish(run_id, "first")
    await house.settle()
    commits = house.owner.commits
    worker.repeat(frame)
    await house.settle()
    assert [order.number for order in worker.took(Ack)] == [1, 1]
    assert house.owner.commits == commits
    assert (await house.run(run_id)).output == '"first"'


async def test_a_frame_repeated_after_a_restart_is_acknowledged_again(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.finish(run_id, "first")
    await house.settle()
    worker.acked = 0  # the acknowledgement was lost on its way
    await house.crash()
    worker.connect()
    await house.settle()
    assert worker.acked == 1
    assert (await house.run(run_id)).output == '"first"'
    assert await house.differences() == []


async def test_a_finish_of_another_epoch_is_fenced(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    worker.finish(run_id, "wrong", epoch=9)
    await house.settle()
    assert [(order.run_id, order.epoch) for order in worker.took(Fenced)] == [(run_id, 9)]
    assert await house.status(run_id) == "executing"


async def test_a_finish_of_a_foreign_run_is_fenced(house: House) -> None:
    first, second = house.worker(slots=1), house.worker(slots=1)
    ids = [await house.trigger(n) for n in range(2)]
    await house.settle()
    (mine,) = first.runs
    (theirs,) = second.runs
    assert {mine, theirs} == set(ids)
    first.finish(theirs, "stolen", epoch=1)
    await house.settle()
    assert [order.run_id for order in first.took(Fenced)] == [theirs]
    assert theirs in second.runs


async def test_a_claim_that_nobody_acknowledges_is_withdrawn(house: House) -> None:
    first = house.worker(slots=1)
    run_id = await house.trigger()
    await house.advance(10_001)
    await first.beat()
    assert [order.run_id for order in first.took(Revoke)] == [run_id]
    second = house.worker(slots=1)
    first.send(Capacity(0))
    first.refuse(run_id)
    await house.settle()
    assert second.runs[run_id].epoch == 2
    assert second.runs[run_id].attempt == 1
    assert await house.differences() == []


async def test_a_withdrawn_claim_whose_body_had_begun_stays(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    await house.advance(10_001)
    worker.refuse(run_id, refused=False)
    await house.settle()
    assert await house.status(run_id) == "executing"
    assert list(worker.runs) == [run_id]


async def test_a_withdrawal_that_gets_no_answer_is_asked_again(house: House) -> None:
    worker = house.worker(inside=True)
    await house.trigger()
    for expected in (0, 0, 1, 1, 2):
        assert len(worker.took(Revoke)) == expected
        await house.advance(5_001)


async def test_a_begun_run_is_not_withdrawn(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.advance(60_000)
    assert not worker.took(Revoke)


async def test_a_withdrawn_run_goes_ahead_of_later_ones_and_pays_no_rate_twice(
    house: House,
) -> None:
    first = house.worker(slots=1, inside=True)
    early = await house.trigger()
    late = await house.trigger()
    await house.advance(10_001)
    first.refuse(early)
    await house.settle()
    assert list(first.runs) == [early]
    first.finish(early)
    await house.settle()
    assert list(first.runs) == [late]


async def test_a_worker_that_reconnects_is_asked_about_orders_it_may_have_missed(
    house: House,
) -> None:
    worker = house.worker(slots=1)
    run_id = await house.trigger()
    worker.runs.clear()  # the order was lost with the link
    worker.drop()
    worker.connect()
    worker.refuse(run_id)
    await house.settle()
    assert worker.runs[run_id].epoch == 2


async def test_a_cancel_that_a_broken_link_swallowed_is_told_again(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    worker.drop()
    await house.cancel(run_id)
    assert not worker.took(Cancel)
    worker.connect()
    assert [order.run_id for order in worker.took(Cancel)] == [run_id]


async def test_a_session_that_ends_while_its_claim_is_being_committed_loses_it(
    house: House,
) -> None:
    worker = house.worker(slots=1)
    blocker = await house.trigger(1)
    run_id = await house.trigger(2)
    house.faults.open.clear()
    house.faults.entered.clear()
    worker.finish(blocker)
    await house.faults.entered.wait()  # the claim of the second run is under way
    house.engine.lost(house.env, worker.session_id)
    house.faults.open.set()
    await house.settle()
    other = house.worker(slots=1)
    await house.settle()
    assert run_id in other.runs
    assert await house.differences() == []


async def test_a_run_that_keeps_killing_its_workers_ends_as_crashed(house: House) -> None:
    run_id = ""
    for _ in range(11):
        worker = house.worker()
        run_id = run_id or await house.trigger()
        await house.settle()
        worker.begin(run_id)
        house.engine.lost(house.env, worker.session_id)
        await house.settle()
    run = await house.run(run_id)
    assert run.status == "crashed"
    assert run.error is not None
    assert run.error.code == "worker_lost"
    assert run.attempt == 1


async def test_a_draining_worker_gets_nothing_more(house: House) -> None:
    worker = house.worker(slots=2)
    first = await house.trigger(1)
    worker.send(Capacity(0))
    await house.settle()
    second = await house.trigger(2)
    worker.finish(first)
    await house.settle()
    assert not worker.runs
    worker.send(Capacity(2))
    await house.settle()
    assert list(worker.runs) == [second]


async def test_a_task_that_only_another_worker_has_goes_there(house: House) -> None:
    house.worker(TaskSpec("a", "qa"))
    second = house.worker(TaskSpec("b", "qb"))
    run_id = await house.trigger(task="b")
    await house.settle()
    assert run_id in second.runs


async def test_a_queued_task_that_only_another_worker_has_goes_there(house: House) -> None:
    first = house.worker(TaskSpec("a", "qa"), slots=5)
    second = house.worker(TaskSpec("b", "qb"), slots=1)
    blocker = await house.trigger(task="b")
    waits = await house.trigger(task="b")
    await house.settle()
    second.finish(blocker)
    await house.advance(5_000)
    assert waits in second.runs
    assert not first.runs
    assert await house.differences() == []


async def test_a_run_moved_to_the_worker_that_has_its_task_ends_after_a_crash_too(
    house: House,
) -> None:
    house.worker(TaskSpec("a", "qa"), slots=5)
    second = house.worker(TaskSpec("b", "qb"), slots=2, inside=True)
    second.send(Capacity(0))
    run_id = await house.trigger(task="b")
    await house.settle()
    second.send(Capacity(2))
    await house.advance(5_000)
    second.begin(run_id)
    await house.crash()
    second.connect()
    second.finish(run_id, 1)
    await house.live(15_001)
    if run_id in second.runs:
        second.finish(run_id, 2)
        await house.settle()
    assert await house.status(run_id) == "completed"
    assert await house.differences() == []


async def test_a_run_pinned_to_a_version_waits_for_it(house: House) -> None:
    house.worker(version="v1")
    run_id = await house.trigger(version="v2")
    await house.settle()
    assert await house.status(run_id) == "pending_version"
    worker = house.worker(version="v2")
    await house.settle()
    assert worker.runs[run_id].version == "v2"


async def test_a_call_of_running_code_is_answered_over_the_link(house: House) -> None:
    worker = house.worker()
    parent = await house.trigger()
    worker.begin(parent)
    worker.call(calls.Trigger([TriggerRequest("work", "5")]), parent, call_id=7)
    await house.settle()
    (answer,) = worker.took(Answer)
    assert (answer.call_id, answer.ok) == (7, True)
    made = msgspec.msgpack.decode(answer.body, type=calls.Triggered).answers[0]
    assert (await house.run(made.run_id)).parent_id == parent


async def test_a_bad_call_is_answered_with_its_error(house: House) -> None:
    worker = house.worker()
    worker.call(calls.Trigger([TriggerRequest("nope")]))
    await house.settle()
    (answer,) = worker.took(Answer)
    assert not answer.ok
    assert msgspec.msgpack.decode(answer.body, type=calls.Fault).code == "unknown_task"


async def test_a_run_that_a_session_has_lost_triggers_nothing_more(house: House) -> None:
    old = house.worker()
    parent = await house.trigger()
    old.begin(parent)
    old.drop()
    await house.live(15_001)
    new = house.worker()
    await house.settle()
    old.connect()
    old.call(calls.Trigger([TriggerRequest("work")]), parent)
    await house.settle()
    (answer,) = old.took(Answer)
    assert not answer.ok
    assert list(new.runs) == [parent]


async def test_log_lines_are_kept_in_order(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    now = house.clock.now()
    worker.send(Logs([LogLine(run_id, now, "info", f"line {n}") for n in range(3)]))
    worker.send(Logs([LogLine(run_id, now, "error", "line 3", '{"n":3}')]))
    await house.advance(250)
    page = await house.ask(calls.ListLogs(run_id))
    assert [line.message for line in page.lines] == [f"line {n}" for n in range(4)]
    assert (page.lines[3].level, page.lines[3].data) == ("error", '{"n":3}')
    rest = await house.ask(calls.ListLogs(run_id, after=page.lines[1].seq))
    assert [line.message for line in rest.lines] == ["line 2", "line 3"]


async def test_a_line_that_no_database_can_hold_does_not_cost_the_others(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    now = house.clock.now()
    texts = ["fine", "a\0b", "\ud800", "last"]
    worker.send(Logs([LogLine(run_id, now, "info", text) for text in texts]))
    worker.send(Logs([LogLine(run_id, now, "info", "data", '"\\u0000"')]))
    await house.advance(250)
    lines = (await house.ask(calls.ListLogs(run_id))).lines
    assert [line.message for line in lines][::3] == ["fine", "last"]
    assert len(lines) == 5


async def test_the_list_of_tasks_tells_how_many_workers_have_each(house: House) -> None:
    house.worker(TaskSpec("a", default_queue("a"), description="Does a."))
    worker = house.worker(TaskSpec("a", default_queue("a")), TaskSpec("b", default_queue("b")))
    tasks = {task.id: task for task in (await house.ask(calls.ListTasks())).tasks}
    assert (tasks["a"].workers, tasks["b"].workers) == (2, 1)
    worker.drop()
    tasks = {task.id: task for task in (await house.ask(calls.ListTasks())).tasks}
    assert (tasks["a"].workers, tasks["b"].workers) == (1, 0)


async def test_tasks_are_still_known_after_a_restart_without_a_worker(house: House) -> None:
    house.worker()
    await house.settle()
    await house.crash()
    run_id = await house.trigger()
    assert await house.status(run_id) == "queued"


async def test_a_late_failure_of_a_lost_run_is_not_its_end(house: House) -> None:
    first, second = house.worker(slots=1), house.worker(slots=1)
    run_id = await house.trigger(max_attempts=1)
    holder, other = (first, second) if run_id in first.runs else (second, first)
    holder.begin(run_id)
    house.engine.lost(house.env, holder.session_id)
    await house.settle()
    assert run_id in other.runs
    holder.connect()
    holder.finish(run_id, outcome="failed", epoch=1, error=RunError("late"))
    await house.settle()
    assert await house.status(run_id) == "dequeued"


async def test_two_hundred_runs_of_a_lost_worker_all_run_again(house: House) -> None:
    first = house.worker(slots=200)
    await house.batch([request(n) for n in range(200)])
    await house.settle()
    first.begin(*first.runs)
    house.engine.lost(house.env, first.session_id)
    second = house.worker(slots=200)
    await house.settle()
    assert set(second.runs) == set(first.runs)
    assert {type(order) for order in second.orders} <= {Welcome, Execute, Ack}
    await asyncio.gather(*(house.run(run_id) for run_id in second.runs))
    assert await house.differences() == []
