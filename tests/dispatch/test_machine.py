"""The core against a slow, obvious model, under random verbs."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from mainspring.dispatch import (
    Core,
    EnvironmentLimits,
    KeyLimits,
    Lane,
    LaneKey,
    QueueLimits,
    RateLimit,
    audit,
    environment_stats,
)
from tests.dispatch.shadow import Row, Shadow

ENVS = st.sampled_from([1, 1, 1, 2])
QUEUES = st.sampled_from(["a", "a", "b"])
KEYS = st.sampled_from(["", "", "x", "y", "z"])
VERSIONS = st.sampled_from(["", "", "", "v1", "v2"])
LANES = st.tuples(ENVS, QUEUES, KEYS, VERSIONS)
LIMIT = st.none() | st.integers(0, 4)
WEIGHT = st.sampled_from([1.0, 1.0, 0.5, 2.0, 3.0])
COST = st.sampled_from([1, 1, 1, 2, 5])
RATE = st.none() | st.builds(
    RateLimit,
    st.integers(1, 7),
    st.sampled_from([100, 1000]),
    st.integers(1, 4),
    st.booleans(),
)


class CoreMachine(RuleBasedStateMachine):
    """Random verbs; the database is the shadow's rows, read in snapshots as an owner would."""

    @initialize(low=st.integers(1, 3), high=st.integers(1, 6))
    def begin(self, low: int, high: int) -> None:
        self.sizes = (low, high)
        self.core = Core(low, high)
        self.shadow = Shadow()
        self.now = 1_000_000
        self.made = 0
        self.handles: dict[str, Lane] = {}
        self.reads: list[tuple[Lane, list[Row], bool]] = []
        self.states: dict[tuple[int, str, str], int] = {}

    # Runs come and go.

    def _row(self, lane: LaneKey, priority: int, resume: bool, cost: int) -> Row:
        self.made += 1
        return Row(lane, self.now - priority, f"run_{self.made:04d}", resume, cost)

    @rule(lane=LANES, priority=st.integers(-50, 50), resume=st.booleans(), cost=COST)
    def push(self, lane: LaneKey, priority: int, resume: bool, cost: int) -> None:
        row = self._row(lane, priority, resume, cost)
        self.shadow.ready[row.run_id] = row
        self.core.push(lane, row.ord, row.run_id, resume, cost)

    @rule(lane=LANES, priorities=st.lists(st.tuples(st.integers(-5, 5), COST), max_size=12))
    def push_many(self, lane: LaneKey, priorities: list[tuple[int, int]]) -> None:
        rows = [self._row(lane, priority, False, cost) for priority, cost in priorities]
        self.shadow.ready.update({row.run_id: row for row in rows})
        costs = {row.run_id: row.cost for row in rows if row.cost != 1}
        self.core.push_many(lane, [row.place for row in rows], costs)

    @precondition(lambda self: self.shadow.ready)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(list(self.shadow.ready.values())))
        del self.shadow.ready[row.run_id]
        assert self.core.remove(row.lane, row.ord, row.run_id, row.resume)

    @precondition(lambda self: self.shadow.ready)
    @rule(data=st.data())
    def push_again(self, data: st.DataObject) -> None:
        """What is in memory is taken once; what is not would be counted twice, so leave it."""
        row = data.draw(st.sampled_from(list(self.shadow.ready.values())))
        lane = self.core.tree.find(row.lane)
        assert lane is not None
        if row.resume or lane.cursor is None or row.place <= lane.cursor:
            self.core.push(row.lane, row.ord, row.run_id, row.resume, row.cost)

    # Slots are taken and given back.

    @rule(
        env=ENVS,
        version=st.sampled_from(["", "v1", "v1", "v2"]),
        n=st.integers(0, 6),
        pinned=st.sampled_from([False, False, True]),
    )
    def claim(self, env: int, version: str, n: int, pinned: bool) -> None:
        claims = self.core.claim(env, version, n, self.now, pinned=pinned)
        assert len(claims) <= n
        for lane, ord, run_id, resume in claims:
            row = self.shadow.ready.pop(run_id)
            assert (row.lane, row.ord, row.resume) == (lane.address, ord, resume)
            assert row.lane[0] == env
            assert row.lane[3] == version or not (pinned or row.lane[3])
            earlier = self.shadow.rows(row.lane, True)
            if not resume:
                earlier += self.shadow.rows(row.lane, False)
                assert self.shadow.passes(row.lane, row.cost, self.now)
                self.shadow.pay(row.lane, row.cost, self.now)
            assert not [other for other in earlier if resume and other.place < row.place]
            assert resume or not earlier or earlier[0].place > row.place
            assert self.shadow.closed(row.lane) is None
            self.shadow.active[run_id] = row
            self.handles[run_id] = lane
        if len(claims) < n:
            left = self._runnable(env, version)
            assert not [lane for lane in left if lane[3] or not pinned]

    @precondition(lambda self: self.shadow.active)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        some = st.lists(st.sampled_from(list(self.shadow.active)), unique=True, max_size=5)
        runs = data.draw(some)
        for run_id in runs:
            del self.shadow.active[run_id]
        self.core.release_many([self.handles.pop(run_id) for run_id in runs], self.now)

    @precondition(lambda self: self.shadow.active)
    @rule(data=st.data(), refund=st.booleans())
    def unclaim(self, data: st.DataObject, refund: bool) -> None:
        row = self.shadow.active.pop(data.draw(st.sampled_from(list(self.shadow.active))))
        self.shadow.ready[row.run_id] = row
        if refund and not row.resume:
            self._give_back(row.lane, row.cost)
        lane = self.handles.pop(row.run_id)
        self.core.unclaim(
            lane,
            row.ord,
            row.run_id,
            self.now,
            resume=row.resume,
            cost=row.cost,
            refund=refund,
        )

    @rule(lane=LANES, cost=COST, pool=st.sampled_from([None, "v1"]))
    def start(self, lane: LaneKey, cost: int, pool: str | None) -> None:
        version = lane[3] if pool is None else pool
        waits = self._runnable(lane[0], version)
        maybe = self._open(lane[0], version)
        free = (
            not [row for row in self.shadow.ready.values() if row.lane == lane]
            and self.shadow.closed(lane) is None
            and self.shadow.passes(lane, cost, self.now)
        )
        handle = self.core.start(lane, self.now, cost, pool)
        if handle is not None:
            assert free
            assert not waits
            row = self._row(lane, 0, False, cost)
            self.shadow.pay(lane, cost, self.now)
            self.shadow.active[row.run_id] = row
            self.handles[row.run_id] = handle
        elif free and not maybe:
            known = self.core.tree.find(lane)
            queue = self.core.tree.queue(*lane[:2])
            assert queue.wake_at or (known is not None and known.key.wake_at)

    @precondition(lambda self: self.shadow.active)
    @rule(data=st.data(), actual=st.integers(0, 9))
    def settle(self, data: st.DataObject, actual: int) -> None:
        row = self.shadow.active[data.draw(st.sampled_from(list(self.shadow.active)))]
        if actual > row.cost:
            self.shadow.pay(row.lane, actual - row.cost, self.now)
        else:
            self._give_back(row.lane, row.cost - actual)
        self.core.rates.settle(*row.lane[:3], row.cost, actual, self.now)

    def _give_back(self, lane: LaneKey, units: int) -> None:
        limited = self.shadow.rate(lane)
        if units and limited is not None and limited[1] in self.shadow.tats:
            self.shadow.pay(lane, -units, self.now)

    # Limits change and time passes.

    @rule(env=ENVS, limit=LIMIT, burst=st.sampled_from([1.0, 1.5, 2.0]), paused=st.booleans())
    def set_environment(self, env: int, limit: int | None, burst: float, paused: bool) -> None:
        limits = EnvironmentLimits(limit, burst, paused and self.made % 3 == 0)
        self.shadow.environments[env] = limits
        self.core.set_environment(env, limits)

    @rule(
        env=ENVS,
        queue=QUEUES,
        limits=st.builds(QueueLimits, LIMIT, LIMIT, WEIGHT, RATE),
        paused=st.booleans(),
    )
    def set_queue(self, env: int, queue: str, limits: QueueLimits, paused: bool) -> None:
        limits = replace(limits, paused=paused and self.made % 3 == 0)
        old = self.shadow.queues.get((env, queue), QueueLimits())
        self.shadow.change_rate(env, queue, old.rate, limits.rate, self.now)
        self.shadow.queues[env, queue] = limits
        self.core.set_queue(env, queue, limits)

    @rule(
        env=ENVS,
        queue=QUEUES,
        key=KEYS,
        limits=st.none() | st.builds(KeyLimits, LIMIT, WEIGHT, st.booleans()),
    )
    def set_key(self, env: int, queue: str, key: str, limits: KeyLimits | None) -> None:
        self.shadow.keys[env, queue, key] = limits or KeyLimits()
        self.core.set_key(env, queue, key, limits)

    @rule(ms=st.sampled_from([1, 10, 143, 1000, 5000]))
    def advance(self, ms: int) -> None:
        self.now += ms
        self.core.claim(1, "", 0, self.now)
        self.core.claim(2, "", 0, self.now)

    @rule()
    def sleep_until_a_rate_lets_go(self) -> None:
        at = self.core.rates.next_wake()
        if at is not None:
            self.advance(max(at - self.now, 1))

    # The owner reads the database, changes, and fails over.

    @rule(limit=st.integers(1, 3), rows=st.integers(1, 5))
    def read(self, limit: int, rows: int) -> None:
        for lane in self.core.refills(limit):
            cursor = lane.cursor
            assert cursor is not None
            there = self.shadow.rows(lane.address, False)
            found = [row for row in there if row.place > cursor][:rows]
            self.reads.append((lane, found, len(found) < rows))

    @precondition(lambda self: self.reads)
    @rule(data=st.data(), fails=st.sampled_from([False, False, False, True]))
    def answer(self, data: st.DataObject, fails: bool) -> None:
        at = data.draw(st.integers(0, len(self.reads) - 1))
        lane, found, exhausted = self.reads.pop(at)
        if fails:
            self.core.refill(lane, [], False)
            return
        costs = {row.run_id: row.cost for row in found if row.cost != 1}
        self.core.refill(lane, [row.place for row in found], exhausted, costs)

    @rule()
    def read_all(self) -> None:
        while self.reads or self.core.tree.thirsty:
            self.read(10, 5)
            for lane, found, exhausted in self.reads:
                costs = {row.run_id: row.cost for row in found if row.cost != 1}
                self.core.refill(lane, [row.place for row in found], exhausted, costs)
            self.reads.clear()
        for row in self.shadow.ready.values():
            lane = self.core.tree.find(row.lane)
            assert lane is not None
            assert lane.in_memory or row.resume

    @rule(lane=LANES)
    def load_again(self, lane: LaneKey) -> None:
        self.core.load(lane, len(self.shadow.rows(lane, False)))

    @rule()
    def take_over(self) -> None:
        shadow, core = self.shadow, Core(*self.sizes)
        for env, base in shadow.environments.items():
            core.set_environment(env, base)
        for (env, queue), limits in shadow.queues.items():
            core.set_queue(env, queue, limits)
        for (env, queue, key), own in shadow.keys.items():
            core.set_key(env, queue, key, own)
        core.rates.restore([(*bucket, tat) for bucket, tat in self.states.items()])
        for run_id, row in shadow.active.items():
            self.handles[run_id] = core.occupy(row.lane)
        for lane in sorted({row.lane for row in shadow.ready.values() if not row.resume}):
            core.load(lane, len(shadow.rows(lane, False)))
        for row in shadow.ready.values():
            if row.resume:
                core.push(row.lane, row.ord, row.run_id, True, row.cost)
        self.core, self.reads = core, []
        self.advance(1)

    def _open(self, env: int, version: str) -> list[LaneKey]:
        """Lanes with a run in memory that no pause or limit holds."""
        lanes = sorted({row.lane for row in self.shadow.ready.values() if row.lane[0] == env})
        found = []
        for lane in lanes:
            known = self.core.tree.find(lane)
            assert known is not None
            if lane[3] in ("", version) and not self.shadow.closed(lane):
                found += [lane] if known.resumes or known.in_memory else []
        return found

    def _runnable(self, env: int, version: str) -> list[LaneKey]:
        """Those of them that their rate surely lets go.

        Whoever's turn it is waits for its rate, and so does everyone in the same bucket.
        """
        shadow = self.shadow
        lanes = {row.lane for row in shadow.ready.values()}
        found = []
        for lane in self._open(env, version):
            known = self.core.tree.find(lane)
            assert known is not None
            limited = shadow.rate(lane)
            sharing = [other for other in lanes if limited and shadow.rate(other) == limited]
            costs = [rows[0].cost for other in sharing if (rows := shadow.rows(other, False))]
            if known.resumes or all(shadow.passes(lane, cost, self.now) for cost in costs):
                found.append(lane)
        return found

    # What always holds.

    @invariant()
    def counts_agree(self) -> None:
        assert audit(self.core) == []
        for env in self.core.tree.environments:
            stats = environment_stats(self.core, env)
            assert stats.running == self.shadow.running(env)
            assert stats.queued == sum(row.lane[0] == env for row in self.shadow.ready.values())

    @invariant()
    def windows_hold_the_first_rows(self) -> None:
        for lane in {row.lane for row in self.shadow.ready.values()}:
            known = self.core.tree.find(lane)
            assert known is not None
            rows = self.shadow.rows(lane, False)
            here = [row for row in rows if known.cursor is None or row.place <= known.cursor]
            assert known.in_memory == len(here)
            assert known.queued == len(rows) + len(self.shadow.rows(lane, True))

    @invariant()
    def rates_agree(self) -> None:
        for env, queue, key, tat in self.core.rates.changed():
            self.states[env, queue, key] = tat
        for bucket, tat in self.shadow.tats.items():
            assert self.states[bucket] == tat


CoreMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60)
TestCore = pytest.mark.slow(CoreMachine.TestCase)
