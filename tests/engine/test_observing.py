"""What people look at across runs: counts, batches, workers."""

from __future__ import annotations

import pytest

from mainspring.engine import observing
from mainspring.wire import observing as wire
from mainspring.wire.calls import AddItems, BatchItem, CreateBatch, RetrieveBatch
from tests.engine.house import DAY, House, request


async def counted(house: House, since: int = 0) -> wire.RunCounts:
    found: wire.RunCounts = await house.ask(wire.CountRuns(since))
    return found


async def batches(house: House, **wanted: str | int) -> wire.BatchPage:
    found: wire.BatchPage = await house.ask(wire.ListBatches(**wanted))  # type: ignore[arg-type]
    return found


async def batch(house: House, count: int) -> str:
    made = await house.ask(CreateBatch(count))
    items = [BatchItem(number, request()) for number in range(count)]
    await house.ask(AddItems(made.id, items))
    return str(made.id)


async def test_runs_are_counted_by_where_they_are(house: House) -> None:
    worker = house.worker(slots=2, inside=True)
    ended = await house.trigger()
    await house.settle()
    worker.begin(ended)
    worker.finish(ended)
    await house.settle()
    await house.advance(DAY)
    failed = await house.trigger()
    waiting = await house.trigger()
    await house.settle()
    worker.begin(failed, waiting)
    worker.finish(failed, outcome="aborted")
    worker.sleep(waiting, "wait:time", seq=1, due_at=house.clock.now() + 60_000)
    await house.settle()
    for _ in range(3):
        await house.trigger()
    await house.trigger(delay_ms=5_000)
    await house.settle()
    found = await counted(house)
    assert found.live == {
        "queued": 1, "executing": 2, "waiting": 1, "delayed": 1, "pending_version": 0,
    }  # fmt: skip
    kept = {status: count for status, count in found.ended.items() if count}
    assert kept == {"completed": 1, "failed": 1}
    since = await counted(house, house.clock.now() - DAY // 2)
    assert {status: count for status, count in since.ended.items() if count} == {"failed": 1}


async def test_counting_stops_where_it_would_take_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "COUNTED", 2)
    worker = house.worker(slots=4)
    for _ in range(2):
        for outcome in ("completed", "aborted"):
            run_id = await house.trigger()
            await house.trigger(delay_ms=60_000)
            await house.settle()
            worker.begin(run_id)
            worker.finish(run_id, outcome=outcome)
            await house.settle()
    found = await counted(house)
    assert (found.most, found.live["delayed"], found.ended["failed"]) == (2, 2, 2)
    assert found.ended["completed"] == 1, "among the newest two that ended"


async def test_batches_are_listed_newest_first_by_pages(house: House) -> None:
    house.worker().drop()
    made = [await batch(house, count) for count in (1, 2, 3)]
    first = await batches(house, limit=2)
    assert [one.id for one in first.batches] == made[:0:-1]
    rest = await batches(house, limit=2, after=str(first.next))
    assert ([one.id for one in rest.batches], rest.next) == (made[:1], None)
    back = await batches(house, limit=2, before=str(rest.previous))
    assert [one.id for one in back.batches] == made[:0:-1]
    assert [(one.run_count, one.received, one.status) for one in first.batches] == [
        (3, 3, "processing"),
        (2, 2, "processing"),
    ]


async def test_a_list_looks_at_the_items_of_a_batch_bit_by_bit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "LOOKED_AT", 2)
    worker = house.worker(slots=5)
    batch_id = await batch(house, 5)
    await house.settle()
    runs = (await house.ask(RetrieveBatch(batch_id))).runs
    for run_id in runs[:4]:
        worker.begin(run_id)
        worker.finish(run_id)
    await house.settle()
    seen = [(await batches(house)).batches[0].ended for _ in range(3)]
    assert seen == [2, 4, 4]
    worker.begin(runs[4])
    worker.finish(runs[4])
    await house.settle()
    [shown] = (await batches(house)).batches
    assert (shown.status, shown.ended) == ("completed", 5)


async def test_workers_are_shown_with_what_they_hold(house: House) -> None:
    worker = house.worker(slots=3)
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    await house.settle()
    found: wire.WorkerList = await house.ask(wire.ListWorkers())
    [shown] = found.workers
    assert (shown.slots, shown.running, shown.waiting, shown.tasks) == (3, 1, 0, ["work"])
    assert (shown.connected, shown.since) == (True, house.clock.now())
    worker.drop()
    found = await house.ask(wire.ListWorkers())
    assert not found.workers[0].connected
