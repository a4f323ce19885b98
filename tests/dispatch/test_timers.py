"""Timers in memory up to a horizon."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mainspring.dispatch import Timer, Timers

TIMERS = st.tuples(
    st.integers(0, 100), st.sampled_from(["ttl", "retry"]), st.sampled_from("abc"), st.just("")
)


def timer(at: int, run_id: str = "run_a", kind: str = "delay") -> Timer:
    return (at, kind, run_id, "")


def test_timers_fire_in_order_and_not_early() -> None:
    timers = Timers(horizon=1000)
    for at in (30, 10, 20):
        timers.add(timer(at))
    assert timers.next_at() == 10
    assert timers.due(9, 10) == []
    assert timers.due(20, 10) == [timer(10), timer(20)]
    assert timers.due(99, 10) == [timer(30)]
    assert timers.next_at() is None


def test_a_herd_fires_in_portions() -> None:
    timers = Timers(horizon=1000)
    for n in range(10):
        timers.add(timer(5, f"run_{n}"))
    assert [len(timers.due(5, 4)) for _ in range(4)] == [4, 4, 2, 0]


def test_what_lies_behind_the_horizon_stays_in_the_database() -> None:
    timers = Timers(horizon=100)
    assert timers.add(timer(99))
    assert not timers.add(timer(100))
    assert len(timers) == 1


def test_a_canceled_timer_does_not_fire() -> None:
    timers = Timers(horizon=100)
    timers.add(timer(5))
    assert timers.cancel(timer(5))
    assert not timers.cancel(timer(5))
    assert timers.next_at() is None
    assert timers.due(99, 10) == []
    timers.add(timer(5))
    timers.add(timer(5))
    assert timers.due(99, 10) == [timer(5)]


def test_what_changes_while_timers_are_read_is_merged() -> None:
    timers = Timers(horizon=100)
    assert timers.begin_load(200) == (100, 200)
    assert timers.add(timer(150, "new"))
    timers.cancel(timer(160, "gone"))
    timers.loaded([timer(160, "gone"), timer(170, "read"), timer(150, "new")])
    assert timers.due(999, 10) == [timer(150, "new"), timer(170, "read")]


def test_canceled_timers_take_no_memory() -> None:
    timers = Timers(horizon=1 << 60)
    for n in range(10_000):
        timers.add(timer(n, f"run_{n}"))
        timers.cancel(timer(n, f"run_{n}"))
    assert len(timers._heap) < 200


class TimersMachine(RuleBasedStateMachine):
    """Against a set: the database holds every timer, memory those before the horizon."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers(10)
        self.rows: set[Timer] = set()
        self.now = 0
        self.read: list[Timer] | None = None

    @rule(wait=st.integers(0, 60), made=TIMERS)
    def add(self, wait: int, made: Timer) -> None:
        row = (self.now + wait, *made[1:])
        self.rows.add(row)
        assert self.timers.add(row) == (row[0] < self.timers.horizon)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(sorted(self.rows)))
        self.rows.remove(row)
        self.timers.cancel(row)

    @rule(wait=st.integers(0, 30), limit=st.integers(1, 4))
    def fire(self, wait: int, limit: int) -> None:
        self.now = min(self.now + wait, self.timers.horizon - 1)
        fired = self.timers.due(self.now, limit)
        assert fired == sorted(fired)
        assert set(fired) <= self.rows
        left = {row for row in self.rows - set(fired) if row[0] <= self.now}
        if self.read is None:
            assert len(fired) == limit or not left
            assert not fired or all(row > fired[-1] for row in left)
        self.rows -= set(fired)

    @precondition(lambda self: self.read is None)
    @rule(ahead=st.integers(0, 80))
    def begin(self, ahead: int) -> None:
        start, until = self.timers.begin_load(self.now + ahead)
        self.read = [row for row in self.rows if start <= row[0] < until]

    @precondition(lambda self: self.read is not None)
    @rule()
    def answer(self) -> None:
        self.timers.loaded(self.read or [])
        self.read = None

    @invariant()
    def memory_holds_what_is_due_before_the_horizon(self) -> None:
        if self.read is None:
            soon = {row for row in self.rows if row[0] < self.timers.horizon}
            assert len(self.timers) == len(soon)
            assert self.timers.next_at() == min((row[0] for row in soon), default=None)


TimersMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestTimers = pytest.mark.slow(TimersMachine.TestCase)
