"""Bulk actions: done in pieces, once, whatever crashes."""

import asyncio
from typing import Any

import pytest

from mainspring.engine.bulk import CANCELED, REPLAYED
from mainspring.errors import InvalidOptions, NotFound
from mainspring.model.run import RunFilter, Status
from mainspring.store.changes import Changes
from mainspring.wire.calls import Trigger
from mainspring.wire.operating import AbortBulk, Bulk, BulkPage, GetBulk, ListBulks, StartBulk
from tests.engine.house import House, request


def has_bulk(changes: Changes) -> bool:
    return bool(changes.bulk)


async def begun(house: House, kind: str, **given: Any) -> Bulk:
    found: Bulk = await house.ask(StartBulk(kind, **given))
    return found


async def ended(house: House, bulk: Bulk) -> Bulk:
    await house.advance(0)
    found: Bulk = await house.ask(GetBulk(bulk.id))
    return found


def counts(bulk: Bulk) -> tuple[int, int, int]:
    return bulk.total, bulk.success, bulk.failure


async def test_a_filter_is_canceled_in_pieces_to_the_last_run(house: House) -> None:
    house.worker(slots=0)
    count = 2 * CANCELED + 7
    ids = [await house.trigger(tags=("x",)) for _ in range(count)]
    other = await house.trigger()
    bulk = await ended(house, await begun(house, "cancel", filter=RunFilter(tag=("x",)), name="n"))
    assert (bulk.status, bulk.name, counts(bulk)) == ("completed", "n", (count, count, 0))
    assert bulk.completed_at is not None
    assert await house.status(other) == "queued"
    assert await house.counts() == {"canceled": count, "queued": 1}
    listed = await house.page(bulk=(bulk.id,), limit=100)
    assert [run.id for run in listed.runs] == ids[::-1][:100]
    assert await house.differences() == []


async def test_replays_are_made_once_and_named(house: House) -> None:
    house.worker(slots=0)
    ids = [await house.trigger({"n": n}, tags=("x",)) for n in range(REPLAYED + 3)]
    bulk = await ended(house, await begun(house, "replay", filter=RunFilter(), region="eu"))
    assert counts(bulk) == (len(ids), len(ids), 0)
    made = (await house.page(bulk=(bulk.id,), limit=100)).runs
    assert sorted(run.replay_of or "" for run in made) == ids
    assert {run.tags for run in made} == {("x",)}
    assert (await house.page(region=("eu",), limit=100)).runs == made
    assert (await house.counts())["queued"] == 2 * len(ids)
    newest = await house.run(made[0].id)
    assert newest.payload == (await house.run(newest.replay_of or "")).payload


@pytest.mark.parametrize("kind", ["cancel", "replay"])
@pytest.mark.parametrize("after", [1, 2, 3])
async def test_a_crash_between_pieces_doubles_and_loses_nothing(
    house: House, kind: str, after: int
) -> None:
    house.worker(slots=0)
    size = CANCELED if kind == "cancel" else REPLAYED
    count = 3 * size + 1
    for n in range(count):
        await house.trigger(n)
    seen = 0

    def hold(changes: Changes) -> bool:
        nonlocal seen
        seen += has_bulk(changes)
        return seen > after

    house.faults.hold = hold
    asking = asyncio.ensure_future(house.ask(StartBulk(kind, filter=RunFilter())))
    await house.faults.held.wait()
    house.faults.hold = lambda changes: False
    bulk = await asking
    await house.crash()
    house.worker(slots=0)
    bulk = await ended(house, bulk)
    assert (bulk.status, *counts(bulk)) == ("completed", count, count, 0)
    statuses = await house.counts()
    assert statuses == ({"canceled": count} if kind == "cancel" else {"queued": 2 * count})


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_a_piece_in_doubt_is_done_once(house: House, end: str) -> None:
    house.worker(slots=0)
    ids = [await house.trigger(n) for n in range(5)]
    house.faults.next.extend(["ok", end])
    bulk = await ended(house, await begun(house, "replay", run_ids=tuple(ids)))
    assert (bulk.status, *counts(bulk)) == ("completed", 5, 5, 0)
    assert await house.counts() == {"queued": 10}


async def test_what_cannot_be_done_is_counted_as_failed(house: House) -> None:
    house.worker(slots=0)
    foreign = await house.engine.environment("prod")
    first = await house.trigger()
    wanted = (first, "run_unknown", "naïve", first)
    bulk = await ended(house, await begun(house, "cancel", run_ids=wanted))
    assert counts(bulk) == (3, 1, 2)
    again = await ended(house, await begun(house, "cancel", run_ids=(first,)))
    assert counts(again) == (1, 1, 0)  # a cancel of an ended run is harmless
    with pytest.raises(NotFound):
        await house.engine.answer(foreign, GetBulk(bulk.id))


async def test_an_aborted_action_leaves_the_rest(house: House) -> None:
    house.worker(slots=0)
    count = 4 * REPLAYED
    await house.ask(Trigger([request(n) for n in range(count)]))
    house.faults.open.clear()
    asking = asyncio.ensure_future(begun(house, "replay", filter=RunFilter()))
    await house.breathe()
    house.faults.open.set()
    bulk = await asking
    aborted = await house.ask(AbortBulk(bulk.id))
    assert aborted.status == "aborted"
    found = await ended(house, bulk)
    assert found == aborted
    assert counts(found)[1] == len((await house.page(bulk=(bulk.id,), limit=100)).runs) < count
    assert await house.ask(AbortBulk(bulk.id)) == aborted


async def test_a_repeated_request_starts_nothing(house: House) -> None:
    house.worker(slots=0)
    await house.trigger()
    one = await begun(house, "replay", filter=RunFilter(), request_key="k")
    two = await begun(house, "replay", filter=RunFilter(), request_key="k")
    await house.advance(0)
    assert one.id == two.id
    assert await house.counts() == {"queued": 2}
    page: BulkPage = await house.ask(ListBulks())
    assert [bulk.id for bulk in page.bulks] == [one.id]


async def test_actions_are_listed_by_pages(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    ids = [(await begun(house, "cancel", run_ids=(run_id,))).id for _ in range(3)]
    first: BulkPage = await house.ask(ListBulks(limit=2))
    assert [bulk.id for bulk in first.bulks] == [ids[2], ids[1]]
    assert first.previous is None
    second: BulkPage = await house.ask(ListBulks(limit=2, after=first.next))
    assert ([bulk.id for bulk in second.bulks], second.next) == ([ids[0]], None)
    back: BulkPage = await house.ask(ListBulks(limit=2, before=second.previous))
    assert [bulk.id for bulk in back.bulks] == [ids[2], ids[1]]
    assert (back.previous, back.next) == (None, ids[1])


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"filter": RunFilter(), "run_ids": ("run_1",)},
        {"run_ids": ()},
        {"run_ids": tuple(f"run_{n}" for n in range(501))},
        {"run_ids": ("a\0",)},
        {"filter": RunFilter(), "name": "n" * 200},
    ],
)
async def test_an_action_says_of_which_runs(house: House, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions):
        await begun(house, "cancel", **given)
    with pytest.raises(InvalidOptions):
        await begun(house, "delete", filter=RunFilter(status=(Status.FAILED,)))
