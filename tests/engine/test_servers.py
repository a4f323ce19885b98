"""Several engines on one PostgreSQL: shares, planned hand-over, takeover, and the frozen owner."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mainspring.engine.engine import Engine
from mainspring.errors import Elsewhere, StoreUnavailable
from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from tests.engine.house import House, beaten, request

SLUGS = ["dev", "staging", "prod", "preview-a", "preview-b", "preview-c"]


class Town:
    """Engines on stores of their own over one database, ticked by hand, with one clock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.houses: dict[str, House] = {}
        self.stores: list[PostgresStore] = []
        self.frozen: set[str] = set()
        self.envs: list[EnvironmentRow] = []

    async def join(self, name: str) -> Engine:
        """Another server, on a connection of its own."""
        store = PostgresStore(self.url)
        await store.open()
        self.stores.append(store)
        house = House(store)
        if self.houses:
            house.clock = next(iter(self.houses.values())).clock
        engine = house.new_engine(name)
        engine.shares.members._address = f"{name}:1"
        self.houses[name] = house
        house.engine = engine
        engine.shares.tell = self.told
        await engine.start(loops=False)
        return engine

    def told(self, server_id: str) -> None:
        if server_id in self.houses and server_id not in self.frozen:
            self.houses[server_id].engine.shares.told()

    async def found(self, *slugs: str) -> None:
        """Make environments."""
        engine = next(iter(self.houses.values())).engine
        self.envs = [await engine.environment(slug) for slug in slugs]

    async def pass_time(self, ms: int, step: int = 250) -> None:
        """The clock moves on; every server that is not frozen has its ticks."""
        for _ in range(0, ms, step):
            next(iter(self.houses.values())).clock.advance(step)
            for name, house in self.houses.items():
                if name not in self.frozen:
                    await house.engine.tick()

    def shares(self) -> dict[str, int]:
        """How many shards each server answers for."""
        return {
            name: sum(house.engine.shares.owns(env.shard_id) for env in self.envs)
            for name, house in self.houses.items()
        }

    def owner(self, env: EnvironmentRow) -> House:
        """The one server that answers for an environment."""
        [found] = [
            house
            for name, house in self.houses.items()
            if house.engine.shares.owns(env.shard_id) and name not in self.frozen
        ]
        found.env = env
        return found

    def kill(self, name: str) -> None:
        """The server is gone, with everything it knows."""
        self.frozen.add(name)
        self.houses[name].engine.store.shards.dead = True

    async def close(self) -> None:
        for house in self.houses.values():
            await house.stop()
        for store in self.stores:
            await store.close()


@pytest.fixture
async def town(empty_postgres: str) -> AsyncIterator[Town]:
    town = Town(empty_postgres)
    await town.join("a")
    await town.found(*SLUGS)
    try:
        yield town
    finally:
        await town.close()


async def test_one_server_owns_everything(town: Town) -> None:
    assert town.shares() == {"a": 6}


async def test_servers_that_join_and_leave_have_even_shares(town: Town) -> None:
    await town.join("b")
    await town.pass_time(3_000)
    assert town.shares() == {"a": 3, "b": 3}
    await town.join("c")
    await town.pass_time(3_000)
    assert town.shares() == {"a": 2, "b": 2, "c": 2}
    await town.houses["a"].engine.stop()
    for name in ("b", "c"):
        await town.houses[name].engine.tick()
    assert town.shares() == {"a": 0, "b": 3, "c": 3}


async def test_a_new_environment_has_an_owner_at_once_or_soon(town: Town) -> None:
    await town.join("b")
    await town.pass_time(3_000)
    town.envs.append(await town.houses["b"].engine.environment("late"))
    await town.pass_time(1_500)
    assert sorted(town.shares().values()) == [3, 4]


async def test_the_shards_of_a_dead_server_are_taken_within_six_seconds(town: Town) -> None:
    for name in ("b", "c"):
        await town.join(name)
        await town.pass_time(3_000)
    town.kill("c")
    await town.pass_time(3_000)
    assert town.shares()["a"] + town.shares()["b"] == 4
    await town.pass_time(1_500)
    assert (town.shares()["a"], town.shares()["b"]) == (3, 3)
    beats = await town.houses["a"].faults.beats()
    assert [beat.server_id for beat in beats] == ["a", "b"]


async def test_a_server_that_has_just_come_holds_no_takeover_up(town: Town) -> None:
    await town.join("c")
    await town.pass_time(6_000)
    town.kill("a")
    await town.pass_time(2_000)
    await town.join("b")  # to which the dead one looks alive for as long as to the other before
    await town.pass_time(2_250)
    assert (town.shares()["b"], town.shares()["c"]) == (3, 3)  # c took all, and gave b its share


async def test_a_run_goes_on_under_the_owner_that_took_over(town: Town) -> None:
    await town.join("b")
    await town.pass_time(3_000)
    env = next(env for env in town.envs if town.houses["b"].engine.shares.owns(env.shard_id))
    house = town.owner(env)
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    town.kill("b")
    await town.pass_time(6_000)
    after = town.owner(env)
    worker.drop()
    worker.house = after
    worker.connect()
    worker.finish(run_id, 7)
    await after.settle()
    assert await after.status(run_id) == "completed"
    assert await after.differences() == []


async def test_a_frozen_owner_writes_nothing_and_gives_up_what_it_lost(town: Town) -> None:
    await town.join("b")
    await town.pass_time(3_000)
    env = next(env for env in town.envs if town.houses["b"].engine.shares.owns(env.shard_id))
    frozen = town.owner(env)
    frozen.worker()
    town.frozen.add("b")
    await town.pass_time(6_000)
    assert town.shares()["a"] == 6
    with pytest.raises(StoreUnavailable):
        await beaten(frozen.engine, env, "ses_1")
    with pytest.raises(Elsewhere):
        await frozen.engine.answer(env, calls.Trigger([request()]))
    town.frozen.clear()
    await town.pass_time(4_000)
    assert town.shares() == {"a": 3, "b": 3}
    house = town.owner(env)
    house.worker()
    assert (await house.counts()) == {}


async def test_time_in_which_the_database_was_away_makes_nobody_lost(town: Town) -> None:
    await town.join("b")
    await town.pass_time(3_000)
    epochs = await town.houses["a"].faults.owners()
    await town.pass_time(60_000, step=30_000)
    await town.pass_time(2_000)
    assert await town.houses["a"].faults.owners() == epochs


async def test_a_hand_over_refuses_nothing_that_was_being_committed(town: Town) -> None:
    env = town.envs[-1]
    old = town.owner(env)
    old.worker(slots=0)
    old.faults.open.clear()
    committing = asyncio.ensure_future(old.trigger(1))
    await old.faults.entered.wait()
    waiting = asyncio.ensure_future(old.trigger(2))
    await old.breathe()
    await town.join("b")
    for _ in range(2):
        await town.houses["b"].engine.tick()
        old.clock.advance(1_000)
    moving = asyncio.ensure_future(town.pass_time(3_000))
    while env.shard_id not in old.engine.shares.held.leaving:  # noqa: ASYNC110 - it rings no bell
        await asyncio.sleep(0)
    late = asyncio.ensure_future(old.trigger(3))
    old.faults.open.set()
    run_id = await committing
    with pytest.raises(Elsewhere):
        await waiting
    with pytest.raises(Elsewhere):
        await late
    await moving
    new = town.owner(env)
    assert new is not old
    assert await new.status(run_id) == "queued"
    assert await new.counts() == {"queued": 1}


async def test_a_server_that_nobody_can_reach_owns_nothing_beside_others(town: Town) -> None:
    engine = await town.join("lone")
    engine.shares.members._address = ""
    await engine.store.shards.register("lone", "")
    await town.pass_time(3_000)
    assert town.shares() == {"a": 6, "lone": 0}
    assert not engine.ready


async def test_workers_of_a_shard_that_is_handed_over_are_told_to_connect_again(town: Town) -> None:
    workers: dict[int, Any] = {}
    house = town.houses["a"]
    for env in town.envs:
        house.env = env
        workers[env.env_id] = house.worker()
    await town.join("b")
    await town.pass_time(3_000)
    gone = {env.env_id for env in town.envs if not house.engine.shares.owns(env.shard_id)}
    assert len(gone) == 3
    told = {env_id for env_id, worker in workers.items() if worker._link is None}
    assert told == gone
