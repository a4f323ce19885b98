"""Streams of items, sent again, side by side, over doubtful commits and crashes: each item once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from mainspring.engine.requests import SLOT_MS
from mainspring.errors import InvalidOptions
from mainspring.model.run import RunFilter
from mainspring.store.protocol import Store
from mainspring.wire import calls
from tests.engine.house import House, request

T = TypeVar("T")
BAD = 3
"""An item with this number has a task that nobody knows."""
ENDS = st.lists(st.sampled_from(["ok", "lost", "kept"]), max_size=3)


@dataclass
class Expected:
    """What must hold of a batch: its size (0 = not said yet), and the run of each item."""

    count: int
    key: str | None
    runs: dict[int, str | None] = field(default_factory=dict)

    @property
    def is_sealed(self) -> bool:
        return self.count > 0 and len(self.runs) == self.count


class Filling(RuleBasedStateMachine):
    """Batches of one environment, and everybody who fills them."""

    batches = Bundle("batches")

    def __init__(self, make_store: Callable[[], Store], slug: str) -> None:
        super().__init__()
        self.slug = slug
        self.loop = asyncio.new_event_loop()
        self.store = make_store()
        self.known: dict[str, Expected] = {}
        self.requests: dict[str, str] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        async def start() -> None:
            await self.store.open()
            self.house = House(self.store, self.slug)
            await self.house.start()
            self.house.worker().drop()

        self.do(start())

    @rule(
        target=batches,
        count=st.integers(0, 5),
        key=st.sampled_from([None, None, "a", "b"]),
        repeat=st.sampled_from([None, "r", "s"]),
        ends=ENDS,
    )
    def create(self, count: int, key: str | None, repeat: str | None, ends: list[str]) -> str:
        self.house.faults.next.extend(ends)
        asked = calls.CreateBatch(count, idempotency_key=key, request_key=repeat)
        made: calls.BatchMade = self.do(self.house.ask(asked))
        if repeat is not None and repeat in self.requests:
            assert made.id == self.requests[repeat]
            return made.id
        held = self._held(key)
        if held is not None:
            assert made.id == held
            expected = self.known[held]
            same = expected.count == count
            assert made.cached == (expected.is_sealed or not same)
            return made.id
        assert made.id not in self.known
        assert not made.cached
        self.known[made.id] = Expected(count, key)
        if repeat is not None:
            self.requests[repeat] = made.id
        return made.id

    def _held(self, key: str | None) -> str | None:
        """Which batch holds the key: one of which no item became a run gives it back."""
        found = None
        for batch_id, expected in self.known.items():
            aborted = expected.is_sealed and not any(expected.runs.values())
            if key is not None and expected.key == key and not aborted:
                found = batch_id
        return found

    @rule(
        batch_id=batches,
        streams=st.lists(st.lists(st.integers(0, 4), max_size=5), min_size=1, max_size=3),
        total=st.sampled_from([None, None, None, 3, 5]),
        ends=ENDS,
    )
    def fill(
        self, batch_id: str, streams: list[list[int]], total: int | None, ends: list[str]
    ) -> None:
        self.house.faults.next.extend(ends)
        expected = self.known[batch_id]
        wanted = [calls.AddItems(batch_id, [self._item(n) for n in s], total) for s in streams]

        async def send() -> list[Any]:
            sent = (self.house.ask(asked) for asked in wanted)
            return await asyncio.gather(*sent, return_exceptions=True)

        told = self.do(send())
        for numbers, answer in zip(streams, told, strict=True):
            size = expected.count or total or 0
            whole = {*expected.runs, *numbers}
            misfits = size and (max(numbers, default=-1) >= size or len(whole) > size)
            if misfits or (total is not None and total != (expected.count or total)):
                assert isinstance(answer, InvalidOptions), answer
                continue
            assert isinstance(answer, calls.ItemsAdded), answer
            expected.count = size
            for number, run_id in zip(numbers, answer.run_ids, strict=True):
                assert expected.runs.setdefault(number, run_id) == run_id
                assert (run_id is None) == (number == BAD)
            assert answer.accepted + answer.deduplicated == len(numbers)

    def _item(self, number: int) -> calls.BatchItem:
        return calls.BatchItem(number, request(number, "nobody" if number == BAD else "work"))

    @rule()
    def crash(self) -> None:
        async def crashed() -> None:
            await self.house.crash()
            self.house.worker().drop()

        self.do(crashed())

    @rule(hours=st.integers(1, 3))
    def later(self, hours: int) -> None:
        self.do(self.house.advance(hours * SLOT_MS))
        if hours > 1:  # a repeat may still be known after one
            self.requests.clear()
        else:
            self.do(self.house.advance(SLOT_MS))
            self.requests.clear()

    @invariant()
    def every_item_is_one_run(self) -> None:
        async def check() -> None:
            for batch_id, expected in self.known.items():
                found: calls.BatchState = await self.house.ask(calls.RetrieveBatch(batch_id))
                assert found.received == len(expected.runs)
                assert (found.sealed_at is not None) == expected.is_sealed
                runs = [expected.runs[n] for n in sorted(expected.runs) if expected.runs[n]]
                assert found.runs == runs
                assert [e.number for e in found.errors] == [n for n in expected.runs if n == BAD]
                assert found.failed == len(found.errors)
                page = await self.house.ask(calls.ListRuns(RunFilter(batch_id=batch_id)))
                assert sorted(run.id for run in page.runs) == sorted(found.runs)

        if self.known:
            self.do(check())

    def teardown(self) -> None:
        async def end() -> None:
            await self.house.stop()
            await self.store.close()

        self.do(end())
        self.loop.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_item_is_one_run_however_it_comes(
    make_store: Callable[[], Store], request: pytest.FixtureRequest
) -> None:
    numbers = itertools.count()
    kind = request.node.callspec.params["make_store"]
    run_state_machine_as_test(
        lambda: Filling(make_store, f"preview-{next(numbers)}"),
        settings=settings(
            max_examples={"memory": 60, "file": 15, "postgres": 15}[kind],
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
