"""Runs by their ids, read together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainspring.engine.lookup import Lookup
from mainspring.errors import NotFound, StoreUnavailable
from mainspring.model.run import Run
from mainspring.wire import calls
from tests.engine.house import House


class Runs:
    """The runs of a store; remembers what was read at a time, and may be away."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.read: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.away = False

    async def many(self, shard_id: int, run_ids: list[str]) -> list[Run]:
        self.read.append(run_ids)
        await self.open.wait()
        if self.away:
            raise StoreUnavailable("The database is away (made so by a test).")
        return await self.inner.many(shard_id, run_ids)


async def test_who_asks_while_runs_are_read_shares_the_next_statement(house: House) -> None:
    house.worker(slots=0)
    ids = [await house.trigger() for _ in range(4)]
    runs = Runs(house.store.runs)
    lookup = Lookup(runs, house.env.shard_id)
    runs.open.clear()
    first = asyncio.gather(lookup.run(ids[0]), lookup.run(ids[1]), lookup.run(ids[0]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = asyncio.gather(lookup.run(ids[2]), lookup.run("run_none"), lookup.run(ids[0]))
    await asyncio.sleep(0)
    runs.open.set()
    found = [run.id if run else None for run in (*await first, *await later)]
    assert found == [ids[0], ids[1], ids[0], ids[2], None, ids[0]]
    assert runs.read == [[ids[0], ids[1]], [ids[2], "run_none", ids[0]]]


async def test_each_caller_has_a_run_of_its_own(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    lookup = Lookup(house.store.runs, house.env.shard_id)
    one, other = await asyncio.gather(lookup.run(run_id), lookup.run(run_id))
    assert one is not None
    assert one == other
    assert one is not other


async def test_a_failed_read_is_told_to_those_who_asked_and_to_nobody_later(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    runs = Runs(house.store.runs)
    lookup = Lookup(runs, house.env.shard_id)
    runs.away = True
    ends = await asyncio.gather(lookup.run(run_id), lookup.run("run_2"), return_exceptions=True)
    assert [type(end) for end in ends] == [StoreUnavailable] * 2
    runs.away = False
    found = await lookup.run(run_id)
    assert found is not None


async def test_who_leaves_costs_the_others_nothing(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    runs = Runs(house.store.runs)
    lookup = Lookup(runs, house.env.shard_id)
    runs.open.clear()
    leaving, staying = (asyncio.ensure_future(lookup.run(run_id)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    runs.open.set()
    assert (await staying) is not None


@pytest.mark.parametrize("whole", [False, True])
async def test_a_result_comes_with_everything_for_those_who_ask_for_it(
    house: House, whole: bool
) -> None:
    worker = house.worker()
    run_id = await house.trigger({"n": 1})
    awaited = asyncio.ensure_future(house.ask(calls.AwaitRun(run_id, 10_000, whole)))
    worker.begin(run_id)
    worker.finish(run_id, output=7)
    run = await awaited
    assert (run.status, run.output) == ("completed", "7")
    assert whole == (run.payload == '{"n":1}')


async def test_runs_of_other_environments_are_unknown(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    other = await house.engine.environment("other")
    with pytest.raises(NotFound):
        await house.engine.answer(other, calls.Retrieve(run_id))
