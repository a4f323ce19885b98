"""Inputs: records that others send to a run, numbered without gaps, and waited for by number."""

from __future__ import annotations

import asyncio
import json

import pytest

from mainspring.errors import Conflict, InvalidOptions, InvalidPayload, NotFound
from mainspring.wire import calls
from tests.engine.durable import outcomes, started, waits
from tests.engine.house import House

HOUR = 3_600_000
LARGE = json.dumps("x" * 100_000)


async def send(
    house: House, run_id: str, data: str, stream: str = "chat", key: str | None = None
) -> int:
    sent: calls.Sent = await house.ask(calls.SendInput(run_id, stream, data, key))
    return sent.number


async def queued(house: House) -> str:
    """A run that waits for a slot."""
    if not house.workers:
        house.worker(slots=0)
    return await house.trigger()


async def stored(house: House, run_id: str, stream: str = "chat") -> list[str | None]:
    """The records of a stream, by number from 1; there are at most 20."""
    wanted = [(run_id, stream, number) for number in range(1, 21)]
    rows = await house.store.waitpoints.inputs(house.env.shard_id, wanted)
    rows.sort(key=lambda row: row.number)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return [row.data for row in rows]


async def test_records_are_numbered_by_run_and_stream(house: House) -> None:
    first, second = await queued(house), await queued(house)
    assert [await send(house, first, f"{n}") for n in range(3)] == [1, 2, 3]
    assert await send(house, first, "7", stream="other") == 1
    assert await send(house, second, "8") == 1
    assert await stored(house, first) == ["0", "1", "2"]


async def test_records_sent_at_once_have_numbers_without_gaps(house: House) -> None:
    run_id = await queued(house)
    numbers = await asyncio.gather(*(send(house, run_id, f"{n}") for n in range(20)))
    assert sorted(numbers) == list(range(1, 21))
    kept = await stored(house, run_id)
    assert [kept[number - 1] for number in numbers] == [f"{n}" for n in range(20)]


async def test_a_repeat_with_the_same_key_appends_nothing(house: House) -> None:
    run_id = await queued(house)
    assert await send(house, run_id, "1", key="once") == 1
    assert await send(house, run_id, "2") == 2
    assert await send(house, run_id, "1", key="once") == 1
    assert await send(house, run_id, "1", key="once", stream="other") == 1
    both = await asyncio.gather(*(send(house, run_id, "3", key="twice") for _ in range(2)))
    assert both == [3, 3]
    assert await stored(house, run_id) == ["1", "2", "3"]
    await house.advance(2 * HOUR)
    assert await send(house, run_id, "1", key="once") == 4


@pytest.mark.parametrize("ends", [["kept", "kept"], ["lost", "lost", "kept"], ["refused"]])
async def test_a_doubtful_commit_appends_once(house: House, ends: list[str]) -> None:
    run_id = await queued(house)
    house.faults.open.clear()
    tasks = [asyncio.create_task(send(house, run_id, f"{n}")) for n in range(4)]
    await house.breathe()
    house.faults.next.extend(ends)
    house.faults.open.set()
    numbers = await asyncio.gather(*tasks)
    assert sorted(numbers) == [1, 2, 3, 4]
    kept = await stored(house, run_id)
    assert [kept[number - 1] for number in numbers] == ["0", "1", "2", "3"]


async def test_numbers_go_on_after_a_crash(house: House) -> None:
    run_id = await queued(house)
    await send(house, run_id, "1")
    await house.crash()
    assert await send(house, run_id, "2") == 2


async def test_a_run_that_has_ended_takes_no_input(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    worker.finish(run_id)
    await house.settle()
    with pytest.raises(Conflict, match="ended as completed"):
        await send(house, run_id, "1")
    assert await stored(house, run_id) == []


async def test_a_record_that_meets_the_end_of_its_run_is_refused(house: House) -> None:
    worker = house.worker()
    run_id, other = await started(house, worker), await started(house, worker)
    house.faults.open.clear()
    tasks = [asyncio.create_task(send(house, id_, "1")) for id_ in (other, run_id)]
    worker.finish(run_id)  # it arrives first in the turn that takes in both
    await house.breathe()
    house.faults.open.set()
    assert await tasks[0] == 1
    with pytest.raises(Conflict):
        await tasks[1]
    assert await stored(house, run_id) == []


async def test_an_unknown_or_foreign_run_is_not_found(house: House) -> None:
    run_id = await queued(house)
    other = await house.engine.environment("prod")
    with pytest.raises(NotFound):
        await house.engine.answer(other, calls.SendInput(run_id, "chat", "1"))
    with pytest.raises(NotFound):
        await send(house, "run_x", "1")


@pytest.mark.parametrize("stream", ["", "a\0", "x" * 129])
async def test_a_stream_has_a_name(house: House, stream: str) -> None:
    run_id = await queued(house)
    with pytest.raises(InvalidOptions, match="stream"):
        await send(house, run_id, "1", stream=stream)


async def test_a_record_is_json(house: House) -> None:
    run_id = await queued(house)
    with pytest.raises(InvalidPayload):
        await send(house, run_id, "{")


async def test_a_run_that_waits_for_a_number_goes_on_when_it_comes(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    waits(worker, run_id, "next", "input", "chat", number=2)
    await house.settle()
    assert await house.status(run_id) == "waiting"
    await send(house, run_id, '"first"')
    await send(house, run_id, '"other"', stream="other")
    await send(house, run_id, '"other"', stream="other")
    await house.settle()
    assert await house.status(run_id) == "waiting"
    await send(house, run_id, '"second"')
    await house.settle()
    assert outcomes(worker, run_id) == [("next", "completed", "second")]


async def test_a_record_that_came_before_the_wait_is_told_at_once(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    await send(house, run_id, LARGE)
    waits(worker, run_id, "next", "input", "chat", number=1)
    await house.settle()
    assert outcomes(worker, run_id) == [("next", "completed", json.loads(LARGE))]


async def test_a_wait_for_an_input_ends_in_time(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    waits(worker, run_id, "next", "input", "chat", number=1, after_ms=1000)
    await house.settle()
    await house.advance(1000)
    assert outcomes(worker, run_id) == [("next", "timed_out", None)]
    assert await send(house, run_id, "1") == 1
