"""Stored objects go when no row refers to them any more, and never before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from mainspring.engine import forget, unused
from mainspring.errors import CommitRejected, FencedOut, NotFound, StoreUnavailable
from mainspring.store.changes import Changes
from mainspring.store.objects import DirectoryObjects, Held, Stored
from mainspring.store.protocol import Store
from mainspring.store.sqlite import MEMORY, SqliteStore
from mainspring.testing.store_aside import states
from mainspring.wire import calls
from tests.engine.durable import record, started, step, waits
from tests.engine.house import DAY, House, Worker

KEEP = 10 * DAY
MINUTE = 60_000
HOUR = 60 * MINUTE
LARGE, OTHER = "x" * 100_000, "y" * 100_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces so small that everything takes several."""
    monkeypatch.setattr(unused, "PIECE", 2)
    monkeypatch.setattr(unused, "SHARDS", 1)


@pytest.fixture
async def house(make_store: Callable[[], Store], tmp_path: Path) -> AsyncIterator[House]:
    """A running engine that deletes what is old; beside a file, objects are files."""
    store = make_store()
    await store.open()
    house = House(store)
    if isinstance(store, SqliteStore) and store.database._path != MEMORY:
        house.objects = DirectoryObjects(tmp_path / "objects")
    try:
        await house.start()
        house.engine.keep_ms = KEEP
        yield house
        await house.stop()
    finally:
        await store.close()


async def passed(house: House, ms: int) -> None:
    """Time in which the engine looks around."""
    for _ in range(0, ms, 4 * MINUTE):
        await house.advance(4 * MINUTE)
        for _ in range(8):
            await house.engine.tick()
            await house.settle()


async def ended(house: House, worker: Worker, payload: Any, output: Any = None) -> str:
    run_id = await started(house, worker, payload=payload)
    worker.finish(run_id, output)
    await house.settle()
    return run_id


async def stored(house: House) -> int:
    return len(await states(house.objects))


async def test_payload_output_and_result_go_with_their_run(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker, payload=LARGE)
    record(worker, run_id, step("a", 1, "z" * 100_000))
    await house.settle()
    worker.finish(run_id, OTHER)
    await house.settle()
    assert await stored(house) == 3
    await passed(house, 4 * HOUR)
    assert (await house.run(run_id)).output == json.dumps(OTHER)
    assert all(aside is None for _, aside in await states(house.objects))
    await house.advance(KEEP)
    await passed(house, 2 * HOUR + 10 * MINUTE)
    assert await stored(house) == 0


async def test_everything_stays_unless_it_is_asked_for(house: House) -> None:
    house.engine.keep_ms = 0
    await house.objects.put(LARGE)
    await passed(house, 4 * HOUR)
    assert {aside for _, aside in await states(house.objects)} == {None}


async def test_equal_content_of_another_environment_is_kept(house: House) -> None:
    worker = house.worker()
    await ended(house, worker, LARGE, OTHER)
    await house.advance(KEEP - DAY)
    dev, prod = house.env, await house.engine.environment("prod")
    assert prod.shard_id != dev.shard_id
    house.env = prod
    other = house.worker()
    kept = await ended(house, other, LARGE, OTHER)
    house.env = dev
    await house.advance(2 * DAY)
    await passed(house, 3 * HOUR)
    assert (await house.page()).runs == []
    house.env = prod
    run = await house.run(kept)
    assert (run.payload, run.output) == (json.dumps(LARGE), json.dumps(OTHER))
    assert await stored(house) == 2
    house.env = dev


async def test_the_output_of_a_token_stays_as_long_as_the_run_that_waited_for_it(
    house: House,
) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    token = await house.ask(calls.CreateToken())
    waits(worker, run_id, "pay", "token", token.id)
    await house.settle()
    await house.ask(calls.CompleteToken(token.id, json.dumps(LARGE)))
    await house.settle()
    waits(worker, run_id, "sleep", "time", seq=2, due_at=house.clock.now() + 2 * KEEP)
    await house.settle()
    await house.advance(KEEP + DAY)
    await passed(house, 3 * HOUR)
    with pytest.raises(NotFound):
        await house.ask(calls.GetToken(token.id))
    [(ref, aside)] = await states(house.objects)
    assert (aside, await house.objects.get(ref)) == (None, json.dumps(LARGE))
    await house.cancel(run_id)
    await house.advance(KEEP + DAY)
    await passed(house, 3 * HOUR)
    assert await stored(house) == 0


async def test_a_replay_of_a_run_that_is_about_to_go_has_its_payload(house: House) -> None:
    worker = house.worker()
    old = await ended(house, worker, LARGE)
    await house.advance(KEEP - 2 * MINUTE)
    again = (await house.ask(calls.ReplayRun(old))).run_id
    await passed(house, 4 * HOUR)
    assert [run.id for run in (await house.page()).runs] == [again]
    assert (await house.run(again)).payload == json.dumps(LARGE)


async def test_what_a_debounced_run_did_not_get_goes(house: House) -> None:
    house.worker()
    options = {"debounce": {"key": "k", "delay_ms": DAY, "mode": "trailing"}}
    for number in range(4):
        run_id = await house.trigger(f"{number}{LARGE}", **options)
    await passed(house, 3 * HOUR)
    assert await stored(house) == 2  # the first is in its row, the last is to be
    await house.advance(DAY)
    await passed(house, 3 * HOUR)
    assert await stored(house) == 1
    assert (await house.run(run_id)).payload == json.dumps(f"3{LARGE}")


async def test_a_text_that_no_row_came_to_refer_to_goes(house: House) -> None:
    await house.objects.put(LARGE)
    await passed(house, 2 * HOUR + 10 * MINUTE)
    assert await stored(house) == 0


async def test_what_is_referred_to_after_all_goes_back(house: House) -> None:
    ref = await house.objects.put(json.dumps(LARGE))
    await passed(house, 10 * MINUTE)
    assert {aside is None for _, aside in await states(house.objects)} == {False}
    worker = house.worker()
    token = await house.ask(calls.CreateToken())
    shard = house.env.shard_id
    await ended(house, worker, 1)
    changes = Changes(house.clock.now())
    changes.end_waitpoint = [(token.id, "completed", None, ref, house.clock.now())]
    await house.faults.commit(shard, house.owner.epoch, changes)
    assert (await house.ask(calls.GetToken(token.id))).output == json.dumps(LARGE)
    await passed(house, 2 * HOUR)
    assert await states(house.objects) == {(ref, None)}


async def test_an_object_that_is_put_again_is_not_the_one_that_goes(house: House) -> None:
    await house.objects.put(json.dumps(LARGE))
    await passed(house, 50 * MINUTE)
    worker = house.worker()
    run_id = await ended(house, worker, LARGE)
    await passed(house, 2 * HOUR)
    assert (await house.run(run_id)).payload == json.dumps(LARGE)
    assert {aside for _, aside in await states(house.objects)} == {None}


async def test_a_server_that_starts_goes_on(house: House) -> None:
    await house.objects.put(LARGE)
    await passed(house, 20 * MINUTE)
    [(_, before)] = await states(house.objects)
    await house.crash()
    house.engine.keep_ms = KEEP
    await passed(house, 20 * MINUTE)
    assert [aside for _, aside in await states(house.objects)] == [before]
    await passed(house, 80 * MINUTE)
    assert await stored(house) == 0


async def test_after_a_time_without_a_look_nothing_is_deleted_for_a_while(house: House) -> None:
    """Whoever had something to commit then has it committed first."""
    ref = await house.objects.put(LARGE)
    await passed(house, 40 * MINUTE)
    await house.advance(3 * HOUR)
    await passed(house, 8 * MINUTE)
    assert await house.objects.get(ref) == LARGE
    await passed(house, 40 * MINUTE)
    assert await stored(house) == 0


class Deposed:
    """The real objects, whose owner another server deposes between its question and its answer."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.inner = house.store.objects
        self.ready = False
        self.changed: set[tuple[str, int | None]] | None = None

    async def page(self, after: str, most: int) -> list[Stored]:
        return await self.inner.page(after, most)

    async def lay_aside(self, refs: Sequence[str], now: int, held: Held) -> None:
        await self._meanwhile(self.inner.lay_aside(refs, now, held))

    async def expire(self, refs: Sequence[str], before: int, held: Held) -> None:
        await self._meanwhile(self.inner.expire(refs, before, held))

    async def _meanwhile(self, move: Coroutine[Any, Any, None]) -> None:
        if not self.ready:
            await move
            return
        self.ready, before = False, await states(self.inner)
        await self.house.faults.take(self.house.env.shard_id, "server-2")
        with pytest.raises(FencedOut):
            await move
        self.changed = before ^ await states(self.inner)
        raise FencedOut("As the store has said.")


@pytest.mark.parametrize("at", [0, 50])
async def test_who_has_lost_the_shard_meanwhile_deletes_nothing(house: House, at: int) -> None:
    """In rows; a directory has one owner for as long as it is open. Who takes over goes on."""
    house.may_differ = True
    house.objects = house.store.objects
    deposed = Deposed(house)
    house.owner.unused._objects = deposed  # type: ignore[assignment]
    await house.objects.put(LARGE)
    await passed(house, at * MINUTE)
    deposed.ready = True
    await passed(house, 60 * MINUTE)
    assert deposed.changed == set()
    await house.take_over("server-3")
    house.engine.keep_ms = KEEP
    await passed(house, 2 * HOUR + 10 * MINUTE)
    assert await stored(house) == 0


async def test_a_question_that_is_broken_off_is_asked_anew(house: House) -> None:
    worker = house.worker()
    run_id = await ended(house, worker, LARGE, OTHER)
    past, fails = house.store.past, [True, True, False]
    referred = past.referred

    async def broken(shard_id: int, refs: Sequence[str]) -> set[str]:
        found = await referred(shard_id, refs)
        if fails and fails.pop():
            raise StoreUnavailable("The connection broke (made to by a test).")
        return found

    past.referred = broken  # type: ignore[method-assign,assignment]
    raised = 0
    for _ in range(60):
        try:
            await house.advance(MINUTE)
        except StoreUnavailable:
            raised += 1
    assert (raised, fails) == (2, [])
    await passed(house, 3 * HOUR)
    assert await stored(house) == 2
    assert (await house.run(run_id)).output == json.dumps(OTHER)


@pytest.mark.parametrize("minutes", [20, 150])
async def test_a_row_that_comes_after_commits_that_failed_has_its_object_or_is_refused(
    house: House, minutes: int
) -> None:
    """However long they did, as while somebody builds an index over a large table."""
    house.worker()
    house.faults.open.clear()
    house.faults.next.extend(["lost"])
    options = {"debounce": {"key": "k", "delay_ms": DAY, "mode": "trailing"}}
    asked = [
        asyncio.create_task(house.trigger(LARGE)),
        asyncio.create_task(house.trigger(OTHER, **options)),
    ]
    await house.breathe()
    while len(await states(house.objects)) < 2:
        await house.breathe()
    for _ in range(0, minutes, 4):
        house.clock.advance(4 * MINUTE)
        for _ in range(8):
            await forget.look(house.owner, KEEP)
    assert [aside is not None for _, aside in await states(house.objects)] == [True] * (
        2 if minutes < 60 else 0
    )
    house.faults.open.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    await house.settle()
    if minutes < 60:
        assert (await house.run(str(found[0]))).payload == json.dumps(LARGE)
        assert {aside for _, aside in await states(house.objects)} == {None}
    else:
        assert [type(one) for one in found] == [CommitRejected] * 2
        assert (await house.page()).runs == []
