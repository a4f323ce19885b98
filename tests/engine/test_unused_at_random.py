"""Texts that are put, referred to, copied, moved and forgotten at random: no row loses its object,
and none is left when the rows are gone.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mainspring.engine import unused
from mainspring.engine.trigger import REF
from mainspring.store.changes import Changes
from mainspring.store.objects import DirectoryObjects
from mainspring.store.protocol import EnvironmentRow, Store
from mainspring.testing.store_aside import states
from tests.engine.house import DAY, House

MINUTE = 60_000
STEP = 4 * MINUTE
PATIENCE = 59 * MINUTE
"""So long at most somebody has a reference and no row of it, of the time that servers see."""
TEXTS = [f"{number}" * 300_000 for number in range(3)]
KINDS = ("payload", "output", "journal", "input", "token", "debounce")
SEEDS = {"memory": 40, "file": 12, "postgres": 5}
VERBS = 40
NUMBERS = itertools.count(1)


class Held(NamedTuple):
    """A row that refers to an object."""

    kind: str
    home: int
    id: str
    ref: str


class Litter:
    """Two environments in two shards, and everybody who has a reference."""

    def __init__(self, house: House, chance: random.Random) -> None:
        self.house = house
        self.chance = chance
        self.homes: list[EnvironmentRow] = []
        self.texts: dict[str, str] = {}
        self.rows: list[Held] = []
        self.hands: list[list[Any]] = []
        """[reference, how long its holder still takes]"""

    async def begin(self) -> None:
        await self.house.start()
        self.house.engine.keep_ms = 1_000 * DAY
        self.homes = [self.house.env, await self.house.engine.environment("prod")]

    async def go(self) -> None:
        """One thing happens, and every row has its object still."""
        verbs = [self.put, self.time_passes, self.time_passes, self.nothing_happens, self.crash]
        verbs += [self.commit] * 3 if self.hands else []
        verbs += [self.read, self.forget] if self.rows else []
        verbs += [self.move] if any(row.kind == "debounce" for row in self.rows) else []
        await self.chance.choice(verbs)()
        for row in self.rows:
            assert await self.house.objects.get(row.ref) == self.texts[row.ref], row

    async def end(self) -> None:
        """The rows go, and with them all that is stored."""
        for row in self.rows:
            await self.drop(row)
        for _ in range(33):
            await self.step(40)
        assert await states(self.house.objects) == set()
        await self.house.stop()

    async def put(self) -> None:
        text = self.chance.choice(TEXTS)
        ref = await self.house.objects.put(text)
        self.texts[ref] = text
        self.hands.append([ref, PATIENCE])

    async def commit(self) -> None:
        [ref, _] = self.hands.pop(self.chance.randrange(len(self.hands)))
        kind, home = self.chance.choice(KINDS), self.chance.randrange(2)
        row = Held(kind, home, f"{kind}_{next(NUMBERS):010}", ref)
        changes, at, env = Changes(self.now), self.now, self.homes[home].env_id
        if kind == "payload":
            changes.run = [run(row.id, env, ref, at)]
        elif kind == "output":
            end = (row.id, env, "work", "q", "completed", 1, 1, None, ref, None, at, at, 5)
            changes.run, changes.done = [run(row.id, env, None, at)], [end]
        elif kind == "journal":
            changes.journal = [(row.id, "k", 0, "step", 1, "ok", None, at, at, 1, ref, "")]
        elif kind == "input":
            changes.input = [(row.id, "s", 1, None, ref, at)]
        elif kind == "token":
            changes.waitpoint = [(row.id, env, None, None, "[]", at, None)]
            await self.write(home, changes)
            changes = Changes(at)
            changes.end_waitpoint = [(row.id, "completed", None, ref, at)]
        else:
            changes.debounce = [(env, "work", row.id, row.id, at, at, f"{REF}{ref}")]
        await self.write(home, changes)
        self.rows.append(row)

    async def read(self) -> None:
        """Somebody is about to copy a reference, as a waiting run gets the output of a token."""
        self.hands.append([self.chance.choice(self.rows).ref, PATIENCE])

    async def move(self) -> None:
        """A debounced payload becomes that of its run, in one commit."""
        row = self.chance.choice([row for row in self.rows if row.kind == "debounce"])
        made = Held("payload", row.home, f"run_{next(NUMBERS):010}", row.ref)
        env, changes = self.homes[row.home].env_id, Changes(self.now)
        changes.run = [run(made.id, env, row.ref, self.now)]
        changes.drop_debounce = [(env, "work", row.id)]
        await self.write(row.home, changes)
        self.rows[self.rows.index(row)] = made

    async def forget(self) -> None:
        await self.drop(self.rows.pop(self.chance.randrange(len(self.rows))))

    async def time_passes(self) -> None:
        ticks = self.chance.choice([1, 3, 20])
        for _ in range(self.chance.choice([1, 5, 20])):
            self.grow_older(STEP, PATIENCE)
            await self.step(ticks)

    async def nothing_happens(self) -> None:
        """The database was away, or the machine asleep: everybody is as far as before."""
        self.house.clock.advance(self.chance.randrange(1, 4) * 60 * MINUTE)
        self.grow_older(0, 9 * MINUTE)

    async def crash(self) -> None:
        await self.house.crash()
        self.house.engine.keep_ms = 1_000 * DAY

    @property
    def now(self) -> int:
        return self.house.clock.now()

    async def write(self, home: int, changes: Changes) -> None:
        shard_id = self.homes[home].shard_id
        epoch = self.house.engine.owners[shard_id].epoch
        await self.house.faults.commit(shard_id, epoch, changes)

    async def drop(self, row: Held) -> None:
        env = self.homes[row.home]
        place = env.shard_id, self.house.engine.owners[env.shard_id].epoch
        if row.kind == "token":
            await self.house.store.past.forget_tokens(*place, [row.id], [])
        elif row.kind == "debounce":
            changes = Changes(self.now)
            changes.drop_debounce = [(env.env_id, "work", row.id)]
            await self.write(row.home, changes)
        else:
            await self.house.store.past.forget(*place, [row.id], [])

    def grow_older(self, ms: int, most: int) -> None:
        """Whoever takes too long has given up."""
        for hand in self.hands:
            hand[1] = min(hand[1] - ms, most)
        self.hands = [hand for hand in self.hands if hand[1] > 0]

    async def step(self, ticks: int) -> None:
        self.house.clock.advance(STEP)
        for _ in range(ticks):
            await self.house.engine.tick()
        await self.house.settle()


def run(run_id: str, env_id: int, ref: str | None, at: int) -> tuple[Any, ...]:
    """The row of a run with a large payload."""
    return (run_id, env_id, "work", "q", "", "", None, ref, "", None, None, 0, None, 0, at)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_no_row_loses_its_object_and_no_object_outlives_its_rows(
    make_store: Callable[[], Store],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unused, "PIECE", 2)
    monkeypatch.setattr(unused, "SHARDS", 1)
    kind = request.node.callspec.params["make_store"]
    for seed in range(SEEDS[kind]):
        store = make_store()
        await store.open()
        house = House(store)
        if kind == "file":
            house.objects = DirectoryObjects(tmp_path / "objects")
        litter = Litter(house, random.Random(seed))
        try:
            await litter.begin()
            for _ in range(VERBS):
                await litter.go()
            await litter.end()
        finally:
            await store.close()
