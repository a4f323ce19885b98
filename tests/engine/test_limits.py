"""Who goes first, how many at once, how fast, and what `explain` says of those that wait."""

import asyncio

import pytest

from mainspring.errors import InvalidOptions, NotFound
from mainspring.model.task import QueueSpec, RateSpec, TaskSpec
from mainspring.wire import calls
from mainspring.wire.operating import PauseEnvironment
from tests.engine.house import House, Worker, request

LIMITED = TaskSpec("limited", "narrow")


def narrow(house: House, slots: int = 10, **limits: object) -> Worker:
    """A worker with one task in a queue with limits."""
    return house.worker(LIMITED, queues=[QueueSpec("narrow", **limits)], slots=slots, inside=True)


async def test_priority_is_a_head_start(house: House) -> None:
    worker = house.worker(slots=1, inside=True)
    blocker = await house.trigger()
    plain = await house.trigger()
    await house.advance(1000)
    late = await house.trigger()
    urgent = await house.trigger(priority_ms=500)  # half a second is not enough to pass `plain`
    first = await house.trigger(priority_ms=2000)
    order = []
    worker.finish(blocker)
    for _ in range(4):
        await house.settle()
        (run_id,) = worker.runs
        order.append(run_id)
        worker.finish(run_id)
    assert order == [first, plain, urgent, late]


async def test_a_queue_never_runs_more_than_its_limit(house: House) -> None:
    worker = narrow(house, limit=3)
    await house.batch([request(n, "limited") for n in range(20)])
    seen = 0
    while worker.runs:
        assert len(worker.runs) <= 3
        assert await house.differences() == []
        worker.finish(next(iter(worker.runs)))
        seen += 1
        await house.settle()
    assert seen == 20


async def test_a_limit_holds_from_the_very_first_run(house: House) -> None:
    worker = narrow(house, limit=1)
    await house.batch([request(n, "limited") for n in range(5)])  # nothing was awaited before
    await house.settle()
    assert len(worker.runs) == 1


async def test_a_limit_holds_for_each_key_and_the_total_for_all(house: House) -> None:
    worker = narrow(house, limit=2, total=5)
    for n in range(30):
        await house.trigger(task="limited", concurrency_key=f"user-{n % 4}")
    seen = 0
    while worker.runs:
        keys = [order.concurrency_key for order in worker.runs.values()]
        assert len(keys) <= 5
        assert max(keys.count(key) for key in keys) <= 2
        worker.finish(next(iter(worker.runs)))
        seen += 1
        await house.settle()
    assert seen == 30


async def test_a_full_key_does_not_hold_the_others_up(house: House) -> None:
    worker = narrow(house, limit=1)
    for _ in range(50):
        await house.trigger(task="limited", concurrency_key="busy")
    other = await house.trigger(task="limited", concurrency_key="quiet")
    await house.settle()
    assert other in worker.runs
    assert len(worker.runs) == 2


async def test_a_run_in_an_ad_hoc_queue_is_not_bound_by_the_tasks_own(house: House) -> None:
    worker = narrow(house, limit=1)
    await house.trigger(task="limited")
    aside = await house.trigger(task="limited", queue="aside")
    await house.settle()
    assert len(worker.runs) == 2
    assert (await house.run(aside)).queue == "aside"


async def test_a_rate_limit_spreads_the_starts(house: House) -> None:
    worker = narrow(house, slots=100, rate=RateSpec(60, 60_000, burst=2))
    await house.batch([request(n, "limited") for n in range(5)])
    await house.settle()
    assert len(worker.runs) == 2
    for expected in (3, 4, 5):
        await house.advance(999)
        assert len(worker.runs) == expected - 1
        await house.advance(1)
        assert len(worker.runs) == expected


async def test_a_rate_limit_per_key_counts_each_key(house: House) -> None:
    worker = narrow(house, slots=100, rate=RateSpec(1, 1000, per_key=True))
    for n in range(4):
        await house.trigger(task="limited", concurrency_key=f"user-{n % 2}")
    await house.settle()
    assert sorted(order.concurrency_key for order in worker.runs.values()) == ["user-0", "user-1"]
    await house.advance(1000)
    assert len(worker.runs) == 4


async def test_a_retry_counts_for_the_rate_like_any_start(house: House) -> None:
    worker = narrow(house, slots=100, rate=RateSpec(1, 10_000))
    run_id = await house.trigger(task="limited")
    worker.finish(run_id, outcome="failed", retry_after_ms=0)
    await house.settle()
    assert not worker.runs
    await house.advance(9_999)
    assert not worker.runs
    await house.advance(1)
    assert worker.runs[run_id].attempt == 2


async def test_a_rate_survives_the_server(house: House) -> None:
    worker = narrow(house, slots=100, rate=RateSpec(1, 10_000))
    await house.batch([request(n, "limited") for n in range(2)])
    await house.settle()
    (first,) = worker.runs
    worker.finish(first)
    await house.settle()
    await house.crash()
    worker.connect()
    await house.advance(9_999)
    assert not worker.runs
    await house.advance(1)
    assert len(worker.runs) == 1


async def test_a_rate_limited_run_without_a_free_slot_costs_no_turns(house: House) -> None:
    worker = narrow(house, slots=1, rate=RateSpec(1, 1000))
    await house.batch([request(n, "limited") for n in range(2)])
    await house.settle()
    await house.advance(1000)
    turn = asyncio.ensure_future(house.owner.turn_over())
    for _ in range(100):
        await house.breathe()
    assert not turn.done()
    worker.finish(next(iter(worker.runs)))
    await house.settle()
    assert len(worker.runs) == 1


async def test_a_paused_queue_starts_nothing_until_it_is_resumed(house: House) -> None:
    worker = narrow(house)
    queue = await house.ask(calls.PauseQueue("narrow", paused=True))
    assert queue.paused
    run_id = await house.trigger(task="limited")
    await house.settle()
    assert not worker.runs
    assert await house.gate(run_id) == "queue_paused"
    await house.ask(calls.PauseQueue("narrow", paused=False))
    await house.settle()
    assert run_id in worker.runs


async def test_a_pause_survives_the_server(house: House) -> None:
    worker = narrow(house)
    await house.settle()
    await house.ask(calls.PauseQueue("narrow", paused=True))
    await house.crash()
    worker.connect()
    await house.settle()
    run_id = await house.trigger(task="limited")
    await house.settle()
    assert await house.gate(run_id) == "queue_paused"


@pytest.mark.parametrize(
    "asked, gate",
    [
        (calls.PauseQueue("narrow", paused=True), "queue_paused"),
        (calls.SetQueue("narrow", 0), "queue_limit"),
        (PauseEnvironment(paused=True), "environment_paused"),
    ],
)
async def test_what_is_set_while_another_server_takes_over_holds_there(
    house: House, asked: calls.Request, gate: str
) -> None:
    worker = narrow(house)
    await house.settle()
    former, env = house.engine, house.env
    house.faults.before_take = lambda: former.answer(env, asked, None)
    await house.take_over("server-2")
    worker.connect()
    run_id = await house.trigger(task="limited")
    await house.settle()
    assert await house.gate(run_id) == gate


async def test_a_limit_changes_while_runs_are_in_flight(house: House) -> None:
    worker = narrow(house, limit=2)
    await house.batch([request(n, "limited") for n in range(10)])
    await house.settle()
    queue = await house.ask(calls.SetQueue("narrow", limit=5))
    assert (queue.limit, queue.base_limit, queue.override_limit) == (5, 2, 5)
    await house.settle()
    assert len(worker.runs) == 5
    await house.ask(calls.SetQueue("narrow", limit=1))
    for left in (4, 3, 2, 1, 1):
        worker.finish(next(iter(worker.runs)))
        await house.settle()
        assert len(worker.runs) == left
    queue = await house.ask(calls.SetQueue("narrow", reset=True))
    assert (queue.limit, queue.override_limit, queue.override_at) == (2, None, None)
    await house.settle()
    assert len(worker.runs) == 2


async def test_a_limit_of_none_lifts_the_limit_of_the_code(house: House) -> None:
    worker = narrow(house, limit=1)
    await house.batch([request(n, "limited") for n in range(4)])
    queue = await house.ask(calls.SetQueue("narrow", limit=None))
    assert (queue.limit, queue.base_limit) == (None, 1)
    await house.settle()
    assert len(worker.runs) == 4


async def test_a_changed_limit_survives_the_server_and_a_new_worker(house: House) -> None:
    worker = narrow(house, limit=2)
    await house.settle()
    await house.ask(calls.SetQueue("narrow", limit=1))
    await house.crash()
    worker.connect()
    await house.batch([request(n, "limited") for n in range(3)])
    await house.settle()
    assert len(worker.runs) == 1
    (queue,) = [q for q in (await house.ask(calls.ListQueues())).queues if q.name == "narrow"]
    assert (queue.limit, queue.base_limit, queue.queued, queue.running) == (1, 2, 2, 1)


async def test_an_unknown_queue_is_refused_with_the_known_ones(house: House) -> None:
    narrow(house)
    with pytest.raises(NotFound, match="narrow"):
        await house.ask(calls.PauseQueue("nope", paused=True))
    with pytest.raises(InvalidOptions, match="limit"):
        await house.ask(calls.SetQueue("narrow", limit=-1))


async def test_the_list_of_queues_tells_limits_and_counts(house: House) -> None:
    narrow(house, limit=1, total=3, rate=RateSpec(100, 60_000))
    await house.batch([request(n, "limited") for n in range(3)])
    await house.settle()
    (queue,) = [q for q in (await house.ask(calls.ListQueues())).queues if q.name == "narrow"]
    assert (queue.queued, queue.running, queue.limit, queue.total) == (2, 1, 1, 3)
    assert queue.rate == "100 per 1m"


async def test_explain_names_the_gate_that_holds_a_run(house: House) -> None:
    worker = narrow(house, limit=1, slots=3)
    holder = await house.trigger(task="limited", concurrency_key="k")
    waits = await house.trigger(task="limited", concurrency_key="k")
    await house.settle()
    told = await house.ask(calls.ExplainRun(waits))
    assert (told.gate, told.running, told.limit, told.position) == ("key_limit", 1, 1, 0)
    assert told.holders == (holder,)
    assert "'k'" in told.text
    assert await house.gate(holder) == "dequeued"
    worker.begin(holder)
    assert await house.gate(holder) == "executing"
    worker.finish(holder)
    await house.settle()
    assert await house.gate(holder) == "finished"


async def test_explain_tells_a_queue_limit_a_total_and_a_rate_apart(house: House) -> None:
    house.worker(
        TaskSpec("a", "qa"),
        TaskSpec("b", "qb"),
        TaskSpec("c", "qc"),
        queues=[
            QueueSpec("qa", limit=1),
            QueueSpec("qb", total=1),
            QueueSpec("qc", rate=RateSpec(1, 60_000)),
        ],
    )
    for task, options in (("a", {}), ("b", {"concurrency_key": "x"}), ("c", {})):
        await house.trigger(task=task, **options)
    held = {
        "queue_limit": await house.trigger(task="a"),
        "queue_total": await house.trigger(task="b", concurrency_key="y"),
        "rate_limit": await house.trigger(task="c"),
    }
    await house.settle()
    assert {gate: await house.gate(run_id) for gate, run_id in held.items()} == {
        gate: gate for gate in held
    }
    told = await house.ask(calls.ExplainRun(held["rate_limit"]))
    assert told.starts_at is None or told.starts_at >= house.clock.now()
    assert "1m" in told.text


async def test_explain_says_when_no_worker_can_take_a_run(house: House) -> None:
    worker = house.worker(slots=1)
    await house.trigger()
    second = await house.trigger()
    told = await house.ask(calls.ExplainRun(second))
    assert told.gate == "no_worker"
    assert "taken" in told.text
    worker.drop()
    told = await house.ask(calls.ExplainRun(second))
    assert told.gate == "no_worker"
    assert "start one" in told.text


async def test_explain_of_a_delayed_and_a_retrying_run_names_the_time(house: House) -> None:
    worker = house.worker()
    delayed = await house.trigger(delay_ms=60_000)
    told = await house.ask(calls.ExplainRun(delayed))
    assert (told.gate, told.starts_at) == ("delayed", house.clock.now() + 60_000)
    assert "1m" in told.text
    retrying = await house.trigger()
    worker.finish(retrying, outcome="failed", retry_after_ms=30_000)
    await house.settle()
    told = await house.ask(calls.ExplainRun(retrying))
    assert (told.gate, told.starts_at) == ("retrying", house.clock.now() + 30_000)


async def test_the_limit_of_the_environment_holds_over_all_queues(house: House) -> None:
    worker = house.worker(TaskSpec("a", "qa"), TaskSpec("b", "qb"))
    house.owner.state.set_environment(house.limited_environment(3))
    ids = [await house.trigger(task=task) for task in "ababab"]
    await house.settle()
    assert len(worker.runs) == 3
    assert await house.gate(ids[-1]) == "environment_limit"
    worker.finish(ids[0])
    await house.settle()
    assert len(worker.runs) == 3


async def test_explain_of_a_waiting_run_names_what_it_waits_for(house: House) -> None:
    worker = house.worker()
    run_id, child = await house.trigger(), await house.trigger(delay_ms=5_000)
    worker.send(
        worker.waits(run_id, "child", "run", points=[child]),
        worker.waits(run_id, "news", "event", points=["news"]),
        worker.parks(run_id, "child", "news"),
    )
    await house.settle()
    found = await house.ask(calls.ExplainRun(run_id))
    assert found.gate == "waiting"
    assert child in found.text or "'news'" in found.text
    assert "2 open waits" in found.text
    napping = await house.trigger()
    worker.sleep(napping, "nap", after_ms=60_000)
    await house.settle()
    found = await house.ask(calls.ExplainRun(napping))
    assert "'nap'" in found.text
    assert found.starts_at == house.clock.now() + 60_000
