"""Events: whoever waits for one by its name, and for fields that it has, goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mainspring.errors import InvalidOptions, InvalidPayload
from mainspring.wire import calls
from tests.engine.durable import outcomes, started, waits
from tests.engine.house import House


async def emit(house: House, name: str, payload: Any = None) -> int:
    sent: calls.Sent = await house.ask(calls.EmitEvent(name, json.dumps(payload)))
    return sent.number


async def test_an_event_that_nobody_waits_for_ends_no_wait(house: House) -> None:
    assert await emit(house, "order.paid", {"id": 1}) == 0


async def test_everybody_who_waits_for_the_event_goes_on(house: House) -> None:
    worker = house.worker()
    runs = [await started(house, worker) for _ in range(3)]
    for run_id in runs:
        waits(worker, run_id, "paid", "event", "order.paid")
    await house.settle()
    assert await emit(house, "order.sent", {"id": 1}) == 0
    assert await emit(house, "order.paid", {"id": 1}) == 3
    await house.settle()
    for run_id in runs:
        assert outcomes(worker, run_id) == [("paid", "completed", {"id": 1})]
    assert await emit(house, "order.paid", {"id": 2}) == 0


@pytest.mark.parametrize(
    "wanted, fitting",
    [
        ({}, True),
        ({"id": 7}, True),
        ({"id": 8}, False),
        ({"id": True}, False),
        ({"user.name": "Ada"}, True),
        ({"user.name": "Bob"}, False),
        ({"id": 7, "user.age": None}, False),
        ({"lines": [1, 2]}, True),
    ],
)
async def test_a_wait_may_want_fields_to_be_equal(
    house: House, wanted: dict[str, Any], fitting: bool
) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    waits(worker, run_id, "paid", "event", "order.paid", data=json.dumps(wanted))
    await house.settle()
    payload = {"id": 7, "user": {"name": "Ada"}, "lines": [1, 2]}
    assert await emit(house, "order.paid", payload) == int(fitting)
    await house.settle()
    assert outcomes(worker, run_id) == ([("paid", "completed", payload)] if fitting else [])


async def test_an_event_stays_in_its_environment(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    waits(worker, run_id, "paid", "event", "order.paid")
    await house.settle()
    other = await house.engine.environment("prod")
    sent = await house.engine.answer(other, calls.EmitEvent("order.paid"))
    assert sent.number == 0
    assert await house.status(run_id) == "waiting"


async def test_an_event_before_the_wait_is_not_kept(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    await emit(house, "order.paid")
    waits(worker, run_id, "paid", "event", "order.paid", after_ms=1000)
    await house.settle()
    assert await house.status(run_id) == "waiting"
    await house.advance(1000)
    assert outcomes(worker, run_id) == [("paid", "timed_out", None)]


async def test_an_event_finds_who_waits_after_a_crash(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    waits(worker, run_id, "paid", "event", "order.paid")
    await house.settle()
    await house.crash()
    assert await emit(house, "order.paid", "x" * 100_000) == 1
    await house.settle()
    assert await house.status(run_id) == "queued"
    fresh = house.worker()
    await house.settle()
    (entry,) = fresh.runs[run_id].journal
    assert (entry.key, entry.kind, entry.status) == ("paid", "event", "completed")
    assert json.loads(entry.data or "") == "x" * 100_000


async def test_a_doubtful_event_reaches_everybody_once(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    waits(worker, run_id, "paid", "event", "order.paid")
    await house.settle()
    house.faults.next.append("lost")
    assert await emit(house, "order.paid", 1) == 1
    await house.settle()
    assert outcomes(worker, run_id) == [("paid", "completed", 1)]


@pytest.mark.parametrize("name", ["", "a\0", "x" * 129])
async def test_an_event_has_a_name(house: House, name: str) -> None:
    with pytest.raises(InvalidOptions, match="event"):
        await emit(house, name)


async def test_an_event_is_json(house: House) -> None:
    with pytest.raises(InvalidPayload):
        await house.ask(calls.EmitEvent("order.paid", "{"))
