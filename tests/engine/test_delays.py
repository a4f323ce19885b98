"""Delays, new times, times to live, debounce: nothing starts early or expires in flight."""

import pytest

from mainspring.errors import Conflict, InvalidOptions
from mainspring.model.run import INLINE_LIMIT
from mainspring.model.task import TaskSpec, default_queue
from mainspring.wire import calls
from tests.engine.house import DAY, House, request


async def test_a_delayed_run_starts_at_its_time_and_not_before(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger(delay_ms=5000)
    run = await house.run(run_id)
    assert (run.status, run.delayed_until) == ("delayed", house.clock.now() + 5000)
    await house.advance(4999)
    assert not worker.runs
    await house.advance(1)
    assert list(worker.runs) == [run_id]


async def test_a_delay_to_a_date_in_the_past_is_none(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger(delay_until=house.clock.now() - 1)
    assert run_id in worker.runs


async def test_a_delay_far_beyond_the_horizon_is_kept(house: House) -> None:
    worker = house.worker(inside=True)
    until = house.clock.now() + 400 * DAY
    run_id = await house.trigger(delay_until=until)
    await house.advance(400 * DAY - 1)
    assert not worker.runs
    await house.advance(1)
    assert list(worker.runs) == [run_id]


async def test_delayed_runs_come_in_the_order_of_their_times(house: House) -> None:
    worker = house.worker(slots=1)
    late = await house.trigger(delay_ms=3000)
    early = await house.trigger(delay_ms=1000)
    middle = await house.trigger(delay_ms=2000)
    await house.advance(10_000)
    order = []
    for _ in range(3):
        (run_id,) = worker.runs
        order.append(run_id)
        worker.finish(run_id)
        await house.settle()
    assert order == [early, middle, late]


async def test_thousands_of_runs_due_at_once_all_start(house: House) -> None:
    house.worker(slots=5000, inside=True)
    for _ in range(3):
        await house.batch([request(n, delay_ms=60_000) for n in range(1000)])
    await house.advance(60_000)
    assert await house.counts() == {"dequeued": 3000}
    assert await house.differences() == []


async def test_a_delayed_run_can_be_moved_both_ways(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger(delay_ms=5000)
    await house.ask(calls.RescheduleRun(run_id, delay_ms=60_000))
    await house.advance(5000)
    assert not worker.runs
    await house.ask(calls.RescheduleRun(run_id, delay_until=house.clock.now() + 10))
    await house.advance(10)
    assert list(worker.runs) == [run_id]
    assert await house.differences() == []


async def test_only_a_delayed_run_can_be_moved(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    with pytest.raises(Conflict, match="only a delayed run moves"):
        await house.ask(calls.RescheduleRun(run_id, delay_ms=10))
    worker.finish(run_id, outcome="failed")
    await house.settle()
    with pytest.raises(Conflict):
        await house.ask(calls.RescheduleRun(run_id, delay_ms=10))


@pytest.mark.parametrize(
    "time",
    [{}, {"delay_ms": 1, "delay_until": 1}, {"delay_ms": -5}, {"delay_until": 1 << 61}],
    ids=["none", "both", "negative", "too far"],
)
async def test_a_bad_new_time_is_refused(house: House, time: dict[str, int]) -> None:
    house.worker()
    run_id = await house.trigger(delay_ms=5000)
    with pytest.raises(InvalidOptions):
        await house.ask(calls.RescheduleRun(run_id, **time))


async def test_a_run_that_nobody_claims_expires(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(ttl_ms=1000)
    await house.advance(999)
    assert await house.status(run_id) == "queued"
    await house.advance(1)
    run = await house.run(run_id)
    assert run.status == "expired"
    assert run.error is not None
    assert run.error.code == "expired"
    assert await house.differences() == []


async def test_a_claimed_run_never_expires(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(ttl_ms=1000)
    await house.advance(2000)
    worker.begin(run_id)
    await house.advance(DAY)
    assert await house.status(run_id) == "executing"


async def test_a_retry_does_not_expire(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(ttl_ms=1500)
    worker.finish(run_id, outcome="failed", retry_after_ms=60_000)
    await house.settle()
    await house.advance(30_000)
    assert not (await house.run(run_id)).status.is_final
    await house.advance(30_000)
    assert worker.runs[run_id].attempt == 2


async def test_the_time_to_live_of_a_delayed_run_begins_with_its_due_time(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(delay_ms=5000, ttl_ms=1000)
    await house.advance(5000)
    await house.advance(999)
    assert await house.status(run_id) == "queued"
    await house.advance(1)
    assert await house.status(run_id) == "expired"


async def test_the_time_to_live_of_a_task_can_be_changed_and_switched_off(house: House) -> None:
    house.worker(TaskSpec("short", default_queue("short"), ttl_ms=1000), slots=0)
    plain = await house.trigger(task="short")
    longer = await house.trigger(task="short", ttl_ms=5000)
    never = await house.trigger(task="short", ttl_ms=0)
    await house.advance(1000)
    assert await house.status(plain) == "expired"
    await house.advance(4000)
    assert await house.status(longer) == "expired"
    await house.advance(DAY)
    assert await house.status(never) == "queued"


async def test_debounced_triggers_become_one_run_after_a_quiet_time(house: House) -> None:
    worker = house.worker()
    debounce = {"key": "d", "delay_ms": 1000}
    first = await house.answer(1, debounce=debounce)
    await house.advance(600)
    second = await house.answer(2, debounce=debounce)
    assert (second.run_id, second.cached) == (first.run_id, True)
    await house.advance(999)
    assert not worker.runs
    await house.advance(1)
    assert worker.runs[first.run_id].payload == "1"
    assert await house.differences() == []


async def test_the_time_of_a_run_that_is_put_off_when_it_has_come_is_forgotten(
    house: House,
) -> None:
    house.worker(slots=0)
    debounce = {"key": "d", "delay_ms": 1000}
    await house.answer(1, debounce=debounce)
    house.clock.advance(1000)
    await house.answer(2, debounce=debounce)
    assert await house.differences() == []


async def test_a_trailing_debounce_takes_the_last_payload(house: House) -> None:
    worker = house.worker()
    debounce = {"key": "d", "delay_ms": 1000, "mode": "trailing"}
    run_id = await house.trigger(1, debounce=debounce)
    for n in (2, 3):
        await house.advance(500)
        assert await house.trigger(n, debounce=debounce) == run_id
    await house.advance(1000)
    assert worker.runs[run_id].payload == "3"
    assert (await house.run(run_id)).payload == "3"


@pytest.mark.parametrize("sizes", [(10, INLINE_LIMIT), (INLINE_LIMIT, 10), (INLINE_LIMIT,) * 2])
async def test_a_trailing_debounce_takes_large_payloads_too(
    house: House, sizes: tuple[int, int]
) -> None:
    worker = house.worker()
    debounce = {"key": "d", "delay_ms": 1000, "mode": "trailing"}
    run_id = await house.trigger("x" * sizes[0], debounce=debounce)
    await house.trigger("y" * sizes[1], debounce=debounce)
    await house.advance(1000)
    expected = '"' + "y" * sizes[1] + '"'
    assert worker.runs[run_id].payload == expected
    assert (await house.run(run_id)).payload == expected


async def test_a_debounce_ends_at_its_longest_delay(house: House) -> None:
    worker = house.worker()
    debounce = {"key": "d", "delay_ms": 1000, "max_delay_ms": 2500}
    run_id = await house.trigger(debounce=debounce)
    for _ in range(3):
        await house.advance(800)
        assert await house.trigger(debounce=debounce) == run_id
    assert not worker.runs
    await house.advance(100)
    assert list(worker.runs) == [run_id]


async def test_after_a_debounced_run_became_ready_the_next_trigger_is_a_new_run(
    house: House,
) -> None:
    house.worker()
    debounce = {"key": "d", "delay_ms": 1000}
    first = await house.trigger(debounce=debounce)
    await house.advance(1000)
    second = await house.answer(debounce=debounce)
    assert second.run_id != first
    assert not second.cached


async def test_debounce_keys_are_apart_from_each_other(house: House) -> None:
    house.worker()
    a = await house.trigger(debounce={"key": "a", "delay_ms": 1000})
    b = await house.trigger(debounce={"key": "b", "delay_ms": 1000})
    assert a != b


@pytest.mark.parametrize("mode, payload", [("leading", "0"), ("trailing", "2")])
async def test_one_debounce_key_many_times_in_one_batch_is_one_run(
    house: House, mode: str, payload: str
) -> None:
    worker = house.worker()
    debounce = {"key": "d", "delay_ms": 1000, "mode": mode}
    for _ in range(2):  # the second time around, the first batch's run is waiting already
        answers = await house.batch([request(n, debounce=debounce) for n in range(3)])
        assert len({answer.run_id for answer in answers}) == 1
    assert [answer.cached for answer in answers] == [True, True, True]
    assert await house.counts() == {"delayed": 1}
    await house.advance(1000)
    assert worker.runs[answers[0].run_id].payload == payload
    assert await house.differences() == []


async def test_a_canceled_debounced_run_frees_its_key(house: House) -> None:
    house.worker()
    debounce = {"key": "d", "delay_ms": 1000}
    first = await house.trigger(debounce=debounce)
    await house.cancel(first)
    assert await house.trigger(debounce=debounce) != first
