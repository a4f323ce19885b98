"""Idempotency keys, request keys and who owns them when."""

import asyncio
import hashlib

import pytest

from mainspring.engine.requests import SLOT_MS
from mainspring.errors import NotFound
from mainspring.model.task import TaskSpec, default_queue
from mainspring.wire import calls
from tests.engine.house import DAY, House, request

KEY = "k" * 64


async def test_a_key_leads_to_one_run(house: House) -> None:
    house.worker()
    first = await house.answer(1, idempotency_key=KEY)
    second = await house.answer(2, idempotency_key=KEY)
    assert (second.run_id, first.cached, second.cached) == (first.run_id, False, True)
    assert await house.counts() == {"dequeued": 1}


async def test_the_key_of_a_completed_run_still_answers_with_it(house: House) -> None:
    worker = house.worker()
    first = await house.trigger(idempotency_key=KEY)
    worker.finish(first)
    await house.settle()
    assert await house.trigger(idempotency_key=KEY) == first


async def test_the_same_key_twice_in_one_batch_is_one_run(house: House) -> None:
    house.worker()
    answers = await house.batch([request(n, idempotency_key=KEY) for n in range(3)])
    assert len({answer.run_id for answer in answers}) == 1
    assert [answer.cached for answer in answers] == [False, True, True]
    assert await house.counts() == {"dequeued": 1}


async def test_a_hundred_callers_with_one_key_make_one_run(house: House) -> None:
    house.worker()
    ids = await asyncio.gather(*(house.trigger(idempotency_key=KEY) for _ in range(100)))
    assert len(set(ids)) == 1


async def test_the_same_key_of_two_tasks_is_two_runs(house: House) -> None:
    house.worker(TaskSpec("a", default_queue("a")), TaskSpec("b", default_queue("b")))
    assert await house.trigger(task="a", idempotency_key=KEY) != await house.trigger(
        task="b", idempotency_key=KEY
    )


async def test_a_key_lapses_after_its_ttl(house: House) -> None:
    house.worker()
    first = await house.trigger(idempotency_key=KEY, idempotency_ttl_ms=60_000)
    await house.advance(59_999)
    assert await house.trigger(idempotency_key=KEY) == first
    await house.advance(1)
    second = await house.answer(idempotency_key=KEY)
    assert second.run_id != first
    assert not second.cached


async def test_a_key_lasts_thirty_days_unless_said_otherwise(house: House) -> None:
    house.worker(inside=True)
    first = await house.trigger(idempotency_key=KEY)
    await house.advance(30 * DAY - 1)
    assert await house.trigger(idempotency_key=KEY) == first
    await house.advance(1)
    assert await house.trigger(idempotency_key=KEY) != first


@pytest.mark.parametrize("outcome", ["aborted", "canceled", "timed_out", "invalid_payload"])
async def test_a_run_that_ends_without_success_frees_its_key(house: House, outcome: str) -> None:
    worker = house.worker()
    first = await house.trigger(idempotency_key=KEY)
    worker.finish(first, outcome=outcome)
    await house.settle()
    second = await house.answer(idempotency_key=KEY)
    assert second.run_id != first
    assert not second.cached


async def test_a_retry_does_not_free_the_key(house: House) -> None:
    worker = house.worker()
    first = await house.trigger(idempotency_key=KEY)
    worker.finish(first, outcome="failed")
    await house.settle()
    assert await house.trigger(idempotency_key=KEY) == first


async def test_a_canceled_waiting_run_frees_its_key(house: House) -> None:
    house.worker(slots=0)
    for options in ({}, {"delay_ms": 1000}):
        first = await house.trigger(idempotency_key=KEY, **options)
        await house.cancel(first)
        assert await house.trigger(idempotency_key=KEY) != first
        await house.ask(calls.ResetKey("work", KEY))


async def test_an_expired_run_frees_its_key(house: House) -> None:
    house.worker(slots=0)
    first = await house.trigger(idempotency_key=KEY, ttl_ms=1000)
    await house.advance(1000)
    assert await house.status(first) == "expired"
    assert await house.trigger(idempotency_key=KEY) != first


async def test_the_end_of_an_old_run_leaves_the_key_of_a_newer_one_alone(house: House) -> None:
    worker = house.worker()
    old = await house.trigger(idempotency_key=KEY, idempotency_ttl_ms=1000)
    await house.advance(1000)
    new = await house.trigger(idempotency_key=KEY)
    worker.finish(old, outcome="aborted")
    await house.settle()
    assert await house.trigger(idempotency_key=KEY) == new


async def test_a_reset_key_is_free_and_names_its_run(house: House) -> None:
    house.worker()
    first = await house.trigger(idempotency_key=KEY)
    assert (await house.ask(calls.ResetKey("work", KEY))).run_id == first
    second = await house.trigger(idempotency_key=KEY)
    assert second != first
    with pytest.raises(NotFound, match="holds no idempotency key"):
        await house.ask(calls.ResetKey("work", "unknown"))


async def test_a_task_can_take_its_keys_from_the_payload(house: House) -> None:
    house.worker(
        TaskSpec(
            "keyed",
            "q",
            idempotency_key="order-{payload.id}",
            idempotency_ttl_ms=1000,
            concurrency_key="user-{payload.user}",
        )
    )
    first = await house.trigger({"id": 1, "user": "a"}, task="keyed")
    assert await house.trigger({"id": 1, "user": "b"}, task="keyed") == first
    other = await house.trigger({"id": 2, "user": "b"}, task="keyed")
    assert other != first
    assert (await house.run(other)).concurrency_key == "user-b"
    await house.advance(1000)
    assert await house.trigger({"id": 1, "user": "a"}, task="keyed") != first


async def test_a_repeated_request_is_answered_with_the_run_it_made(house: House) -> None:
    house.worker()
    first = await house.answer(1, request_key="req-1")
    again = await house.answer(1, request_key="req-1")
    other = await house.answer(1, request_key="req-2")
    assert again == first
    assert other.run_id != first.run_id


async def test_a_request_key_counts_for_an_hour_or_two_and_is_deleted_then(house: House) -> None:
    house.worker()
    first = await house.trigger(request_key="req-1")
    slot = house.clock.now() // SLOT_MS
    wanted = [(slot, house.env.env_id, "work:req-1")]
    await house.advance(SLOT_MS)
    assert await house.trigger(request_key="req-1") == first
    assert len(await house.store.batches.requests(house.env.shard_id, wanted)) == 1
    await house.advance(SLOT_MS)
    assert await house.store.batches.requests(house.env.shard_id, wanted) == []
    assert await house.trigger(request_key="req-1") != first


async def test_a_request_key_and_an_idempotency_key_of_the_same_text_are_two(house: House) -> None:
    house.worker()
    first = await house.trigger(request_key="same")
    second = await house.trigger(idempotency_key="request:same")
    third = await house.trigger(idempotency_key="same")
    assert len({first, second, third}) == 3


async def test_a_repeated_request_with_a_debounce_names_the_run_that_exists(house: House) -> None:
    house.worker()
    debounce = {"key": "d", "delay_ms": 1000}
    first = await house.trigger(1, debounce=debounce, request_key="req-1", idempotency_key="i-1")
    for _ in range(2):
        answer = await house.answer(2, debounce=debounce, request_key="req-2")
        assert answer.run_id == first
        answer = await house.answer(2, debounce=debounce, idempotency_key="i-2")
        assert (answer.run_id, answer.cached) == (first, True)
    assert await house.counts() == {"delayed": 1}


async def test_a_template_of_the_task_makes_the_key_that_its_text_stands_for(house: House) -> None:
    house.worker(TaskSpec("keyed", default_queue("keyed"), idempotency_key="user-{payload.user}"))
    first = await house.trigger({"user": 7}, task="keyed")
    shown = hashlib.sha256(b"user-7").hexdigest()
    assert await house.trigger({"user": 8}, task="keyed", idempotency_key=shown) == first
    assert (await house.run(first)).idempotency_key == "user-7"
