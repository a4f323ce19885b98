"""Batches: filled once however often their items are sent, counted, and read back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainspring.errors import InvalidOptions, NotFound
from mainspring.model.run import TriggerOptions, TriggerRequest
from mainspring.wire import calls
from tests.engine.house import DAY, House, request


def item(number: int, payload: Any = None, task: str = "work", **options: Any) -> calls.BatchItem:
    return calls.BatchItem(number, request(payload, task, **options))


def items(count: int, first: int = 0) -> list[calls.BatchItem]:
    return [item(number, {"n": number}) for number in range(first, first + count)]


async def made(house: House, count: int = 0, **given: Any) -> str:
    found = await house.ask(calls.CreateBatch(count, **given))
    return str(found.id)


async def add(
    house: House, batch_id: str, added: list[calls.BatchItem], total: int | None = None
) -> calls.ItemsAdded:
    found: calls.ItemsAdded = await house.ask(calls.AddItems(batch_id, added, total))
    return found


async def state(house: House, batch_id: str) -> calls.BatchState:
    found: calls.BatchState = await house.ask(calls.RetrieveBatch(batch_id))
    return found


async def test_a_batch_is_full_when_its_last_item_is_in(house: House) -> None:
    worker = house.worker()
    batch_id = await made(house, 3)
    assert batch_id.startswith("batch_")
    first = await add(house, batch_id, items(2))
    assert (first.accepted, first.deduplicated, first.sealed, first.received) == (2, 0, False, 2)
    assert (await state(house, batch_id)).status == "pending"
    second = await add(house, batch_id, items(1, 2))
    assert (second.accepted, second.sealed, second.run_count) == (1, True, 3)
    found = await state(house, batch_id)
    assert (found.status, found.received, found.failed, found.errors) == ("processing", 3, 0, [])
    assert found.runs == [*first.run_ids, *second.run_ids]
    runs = [await house.run(run_id) for run_id in found.runs]
    assert [run.payload for run in runs] == ['{"n":0}', '{"n":1}', '{"n":2}']
    assert {run.batch_id for run in runs} == {batch_id}
    for run_id in found.runs:
        worker.begin(run_id)
        worker.finish(run_id, run_id)
        await house.settle()
    assert (await state(house, batch_id)).status == "completed"
    page = await house.ask(calls.ListBatchRuns(batch_id, limit=2))
    assert [run.output for run in page.runs] == [f'"{run_id}"' for run_id in found.runs[:2]]
    rest = await house.ask(calls.ListBatchRuns(batch_id, page.next))
    assert ([run.id for run in rest.runs], rest.next) == (found.runs[2:], None)
    assert await house.differences() == []


async def test_items_that_come_again_make_no_second_run(house: House) -> None:
    house.worker().drop()
    batch_id = await made(house, 4)
    await add(house, batch_id, items(3))
    again = await add(house, batch_id, items(4))
    assert (again.accepted, again.deduplicated, again.sealed) == (1, 3, True)
    for _ in range(2):
        full = await add(house, batch_id, items(4))
        assert (full.accepted, full.deduplicated, full.sealed) == (0, 4, True)
    assert full.run_ids == again.run_ids
    assert (await add(house, batch_id, [])).sealed
    assert await house.counts() == {"queued": 4}


async def test_streams_side_by_side_fill_a_batch_once(house: House) -> None:
    house.worker().drop()
    batch_id = await made(house, 30)
    parts = [items(10, first) for first in (0, 5, 10, 20)]
    told = await asyncio.gather(*(add(house, batch_id, part) for part in parts * 2))
    assert sum(answer.accepted for answer in told) == 30
    assert (await state(house, batch_id)).received == 30
    assert await house.counts() == {"queued": 30}


async def test_one_index_twice_in_one_stream_is_one_item(house: House) -> None:
    house.worker().drop()
    batch_id = await made(house, 2)
    told = await add(house, batch_id, [item(0, 1), item(0, 2)])
    assert (told.accepted, told.deduplicated, told.received) == (1, 1, 1)
    assert told.run_ids[0] == told.run_ids[1]


@pytest.mark.parametrize("ends", [["lost", "lost"], ["kept"], ["refused"]])
async def test_a_doubtful_commit_makes_each_item_once(house: House, ends: list[str]) -> None:
    house.worker().drop()
    house.faults.next.extend(ends)
    batch_id = await made(house, 3, idempotency_key="k")
    house.faults.next.extend(ends)
    told = await add(house, batch_id, items(3))
    assert (told.accepted, told.deduplicated, told.sealed) == (3, 0, True)
    assert (await state(house, batch_id)).runs == told.run_ids
    assert await house.counts() == {"queued": 3}


async def test_a_crash_between_the_phases_loses_nothing(house: House) -> None:
    house.worker().drop()
    batch_id = await made(house, 4)
    await house.crash()
    house.worker().drop()
    before = await add(house, batch_id, items(2))
    await house.crash()
    house.worker().drop()
    after = await add(house, batch_id, items(4))
    assert (after.accepted, after.deduplicated, after.sealed) == (2, 2, True)
    assert after.run_ids[:2] == before.run_ids
    assert await house.counts() == {"queued": 4}


async def test_an_item_that_cannot_be_triggered_stops_no_other(house: House) -> None:
    worker = house.worker()
    batch_id = await made(house, 3)
    told = await add(house, batch_id, [item(0), item(1, task="nobody"), item(2)])
    assert (told.accepted, told.sealed) == (3, True)
    assert told.run_ids[1] is None
    found = await state(house, batch_id)
    assert (found.status, found.failed, len(found.runs)) == ("partial_failed", 1, 2)
    [error] = found.errors
    assert (error.number, error.task, error.code) == (1, "nobody", "UNKNOWN_TASK")
    assert "No task 'nobody'" in error.error
    for run_id in found.runs:
        worker.begin(run_id)
        worker.finish(run_id)
    await house.settle()
    assert (await state(house, batch_id)).status == "partial_failed"


async def test_a_batch_without_any_run_is_aborted_and_gives_its_key_back(house: House) -> None:
    batch_id = await made(house, 1, idempotency_key="k")
    await add(house, batch_id, [item(0, task="nobody")])
    assert (await state(house, batch_id)).status == "aborted"
    assert await made(house, 1, idempotency_key="k") != batch_id


async def test_an_index_beyond_the_batch_refuses_the_items_that_come_with_it(house: House) -> None:
    house.worker().drop()
    batch_id = await made(house, 2)
    with pytest.raises(InvalidOptions, match="index 2 is not of batch"):
        await add(house, batch_id, [item(0), item(2)])
    assert (await state(house, batch_id)).received == 0
    assert await house.counts() == {}


async def test_how_many_items_there_are_can_be_said_at_the_end(house: House) -> None:
    house.worker().drop()
    batch_id = await made(house)
    assert not (await add(house, batch_id, items(2))).sealed
    assert (await add(house, batch_id, items(1, 2), total=3)).sealed
    assert (await state(house, batch_id)).run_count == 3
    with pytest.raises(InvalidOptions, match="has 3 items, not 4"):
        await add(house, batch_id, [], total=4)


async def test_a_batch_never_has_more_items_than_it_says(house: House) -> None:
    house.worker().drop()
    batch_id = await made(house)
    await add(house, batch_id, [item(0), item(3)])
    with pytest.raises(InvalidOptions, match=r"2 items already, which with 2 more would not be 3"):
        await add(house, batch_id, [item(1), item(2)], total=3)
    with pytest.raises(InvalidOptions, match="2 items already"):
        await add(house, batch_id, [], total=1)
    assert (await add(house, batch_id, items(4), total=4)).sealed


async def test_a_key_leads_to_the_batch_that_holds_it_once_that_is_full(house: House) -> None:
    house.worker().drop()
    first = await house.ask(calls.CreateBatch(1, idempotency_key="k"))
    assert not first.cached
    unfilled = await house.ask(calls.CreateBatch(1, idempotency_key="k"))
    assert (unfilled.id, unfilled.cached) == (first.id, False)
    await add(house, first.id, [item(0)])
    full = await house.ask(calls.CreateBatch(1, idempotency_key="k"))
    assert (full.id, full.cached, full.run_count) == (first.id, True, 1)
    other = await house.ask(calls.CreateBatch(1, idempotency_key="other"))
    assert other.id != first.id


async def test_a_repeated_request_makes_no_second_batch(house: House) -> None:
    first = await made(house, 1, request_key="r")
    assert await made(house, 1, request_key="r") == first
    assert await made(house, 1, request_key="s") != first
    assert await made(house, 1) != first


async def test_an_item_with_a_key_is_the_run_that_holds_it(house: House) -> None:
    house.worker().drop()
    old = await house.trigger(idempotency_key="k")
    batch_id = await made(house, 2)
    told = await add(house, batch_id, [item(0, idempotency_key="k"), item(1)])
    assert (told.run_ids[0], told.cached) == (old, [0])
    assert (await state(house, batch_id)).runs == told.run_ids


async def test_debounced_items_of_a_batch_are_one_run(house: House) -> None:
    batch_id = await made(house, 3)
    house.worker().drop()
    debounce = {"key": "d", "delay_ms": 1000}
    told = await add(house, batch_id, [item(n, n, debounce=debounce) for n in range(3)])
    assert (told.accepted, len(set(told.run_ids))) == (3, 1)
    again = await add(house, batch_id, [item(n, n, debounce=debounce) for n in range(3)])
    assert (again.accepted, again.run_ids) == (0, told.run_ids)


async def test_runs_of_a_batch_have_its_parent(house: House) -> None:
    worker = house.worker()
    parent = await house.trigger()
    worker.begin(parent)
    batch_id = await made(house, 1, parent_id=parent)
    told = await add(house, batch_id, [item(0)])
    run = await house.run(str(told.run_ids[0]))
    assert (run.parent_id, run.root_id, run.depth) == (parent, parent, 1)
    with pytest.raises(NotFound):
        await made(house, 1, parent_id="run_unknown")


async def test_a_batch_of_another_environment_is_unknown(house: House) -> None:
    other = await house.engine.environment("other")
    batch_id = await made(house, 1)
    for asked in (
        calls.RetrieveBatch(batch_id),
        calls.AddItems(batch_id, [item(0)]),
        calls.ListBatchRuns(batch_id),
    ):
        with pytest.raises(NotFound, match="No batch"):
            await house.engine.answer(other, asked)
    for text in ("batch_x", "", "ü", "\0"):
        with pytest.raises(NotFound):
            await state(house, text)


async def test_a_trigger_of_many_can_be_a_batch(house: House) -> None:
    house.worker().drop()
    requests = [TriggerRequest("work", str(n), TriggerOptions()) for n in range(3)]
    told = await house.ask(calls.Trigger(requests, as_batch=True, request_key="r"))
    found = await state(house, told.batch_id)
    assert (found.status, found.run_count) == ("processing", 3)
    assert found.runs == [answer.run_id for answer in told.answers]
    again = await house.ask(calls.Trigger(requests, as_batch=True, request_key="r"))
    assert (again.batch_id, again.answers) == (told.batch_id, told.answers)
    assert await house.counts() == {"queued": 3}


@pytest.mark.parametrize("end", ["lost", "kept"])
@pytest.mark.parametrize("key", [None, "r"])
async def test_a_doubtful_commit_makes_a_whole_batch_once(
    house: House, end: str, key: str | None
) -> None:
    house.worker().drop()
    house.faults.next.append(end)
    requests = [TriggerRequest("work", str(n), TriggerOptions()) for n in range(3)]
    told = await house.ask(calls.Trigger(requests, as_batch=True, request_key=key))
    assert (await state(house, told.batch_id)).runs == [a.run_id for a in told.answers]
    assert await house.counts() == {"queued": 3}


async def test_who_awaited_a_run_is_shown_what_who_asks_later_is(house: House) -> None:
    worker = house.worker()
    made = await house.ask(calls.CreateBatch(1))
    options = TriggerOptions(tags=("a",), is_test=True, metadata='{"m":1}')
    item = calls.BatchItem(0, TriggerRequest("work", "1", options))
    [run_id] = (await house.ask(calls.AddItems(made.id, [item]))).run_ids
    awaited = asyncio.ensure_future(house.ask(calls.AwaitRun(run_id, 60_000)))
    await house.settle()
    worker.begin(run_id)
    worker.finish(run_id, "done")
    await house.settle()
    run = await awaited
    assert run == await house.run(run_id)
    assert (run.batch_id, run.tags, run.is_test, run.output) == (made.id, ("a",), True, '"done"')


async def test_a_batch_that_nobody_fills_any_more_is_given_up_after_a_day(house: House) -> None:
    house.worker()
    batch_id = await made(house, 2, idempotency_key="k")
    house.clock.advance(DAY - 1)
    await add(house, batch_id, items(1))
    house.clock.advance(DAY - 1)
    assert (await state(house, batch_id)).status == "pending"
    assert not (await house.ask(calls.CreateBatch(2, idempotency_key="k"))).cached
    house.clock.advance(1)
    assert (await state(house, batch_id)).status == "aborted"
    with pytest.raises(InvalidOptions, match="was given up"):
        await add(house, batch_id, items(1, first=1))
    again = await house.ask(calls.CreateBatch(2, idempotency_key="k"))
    assert (again.id, again.cached) == (batch_id, True)
    assert len((await state(house, batch_id)).runs) == 1


async def test_the_code_of_a_run_may_fill_its_batch_after_days(house: House) -> None:
    house.worker()
    run_id = await house.trigger()
    batch_id = await made(house, 1, parent_id=run_id)
    house.clock.advance(3 * DAY)
    assert (await state(house, batch_id)).status == "pending"
    assert (await add(house, batch_id, items(1))).sealed
