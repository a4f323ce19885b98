"""Random verbs, faults and crashes against the engine; every promise holds after each of them."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from mainspring.errors import CommitRejected, Conflict
from mainspring.model.run import FREES_KEY, Run, Status
from mainspring.model.task import QueueSpec, RateSpec, TaskSpec
from mainspring.store.protocol import Store
from mainspring.wire import calls
from mainspring.wire.worker import Entry, Execute
from tests.engine.house import House, Worker, request

T = TypeVar("T")

QUEUES = [
    QueueSpec("free"),
    QueueSpec("narrow", limit=2),
    QueueSpec("keyed", limit=1, total=3),
    QueueSpec("rated", rate=RateSpec(2, 10_000)),
]
TASKS = [TaskSpec(queue.name, queue.name) for queue in QUEUES]
SLOTS = 4


@dataclass
class Expected:
    """What must hold of one run, from what the machine was told."""

    due: int
    attempts: int
    canceled: bool = False
    final: Status | None = None


class Engine(RuleBasedStateMachine):
    """One environment, up to three workers, and every promise of the architecture."""

    runs = Bundle("runs")

    def __init__(self, make_store: Callable[[], Store], slug: str) -> None:
        super().__init__()
        self.slug = slug
        self.loop = asyncio.new_event_loop()
        self.store = make_store()
        self.known: dict[str, Expected] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.made = 0
        self.waited = 0

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something, then let the engine come to rest."""

        async def done() -> T:
            try:
                return await work
            finally:
                await self.house.settle()

        return self.loop.run_until_complete(done())

    def act(self, deed: Callable[[], object]) -> None:
        """The same for what does not wait."""

        async def done() -> None:
            deed()
            await self.house.breathe()

        self.do(done())

    @initialize()
    def begin(self) -> None:
        async def start() -> None:
            await self.store.open()
            self.house = House(self.store, self.slug)
            await self.house.start()
            self._new_worker()
            await self.house.settle()

        self.loop.run_until_complete(start())

    # what callers do

    @rule(
        target=runs,
        task=st.sampled_from([task.id for task in TASKS]),
        count=st.integers(1, 4),
        delay=st.sampled_from([None, None, 3_000, 40_000]),
        ttl=st.sampled_from([None, None, None, 5_000]),
        key=st.sampled_from([None, None, None, "a", "b"]),
        ckey=st.sampled_from([None, "x", "y"]),
        attempts=st.integers(1, 3),
        head_start=st.sampled_from([0, 0, 20_000]),
    )
    def trigger(
        self,
        task: str,
        count: int,
        delay: int | None,
        ttl: int | None,
        key: str | None,
        ckey: str | None,
        attempts: int,
        head_start: int,
    ) -> Any:
        options = {
            "delay_ms": delay,
            "ttl_ms": ttl,
            "idempotency_key": key,
            "concurrency_key": ckey if task == "keyed" else None,
            "max_attempts": attempts,
            "priority_ms": head_start,
        }
        now = self.house.clock.now()
        asked = [request(n, task, **options) for n in range(count)]
        before = self.keys.get((task, key)) if key else None
        if before is not None and self._frees(before):
            before = None
        try:
            answers = self.do(self.house.batch(asked))
        except CommitRejected:
            return multiple()
        for answer in answers:
            if not answer.cached:
                assert answer.run_id not in self.known
                self.known[answer.run_id] = Expected(now + (delay or 0), attempts)
        if key:
            assert len({answer.run_id for answer in answers}) == 1
            assert before in (None, answers[0].run_id)
            self.keys[task, key] = answers[0].run_id
        return multiple(*{answer.run_id for answer in answers})

    @rule(run_id=runs)
    def cancel(self, run_id: str) -> None:
        try:
            run = self.do(self.house.cancel(run_id))
        except CommitRejected:
            return
        if self.known[run_id].final is None and run.status is not Status.COMPLETED:
            self.known[run_id].canceled = not run.status.is_final or run.status == "canceled"

    @rule(run_id=runs, delay=st.sampled_from([0, 2_000, 60_000]))
    def reschedule(self, run_id: str, delay: int) -> None:
        now = self.house.clock.now()
        delayed = self.do(self.house.status(run_id)) == "delayed"
        asked = self.house.ask(calls.RescheduleRun(run_id, delay_ms=delay))
        try:
            self.do(asked)
        except CommitRejected:  # it may have been done before, by a commit that ended in doubt
            self.known[run_id].due = min(self.known[run_id].due, now + delay)
        except Conflict:
            assert not delayed
        else:
            assert delayed
            self.known[run_id].due = now + delay

    @rule(name=st.sampled_from([queue.name for queue in QUEUES]), paused=st.booleans())
    def pause(self, name: str, paused: bool) -> None:
        self.do(self.house.ask(calls.PauseQueue(name, paused)))

    # what workers do

    @rule(at=st.integers(0, 2), share=st.integers(1, 4))
    def begin_bodies(self, at: int, share: int) -> None:
        worker = self._worker(at)
        fresh = [run_id for run_id in worker.runs if run_id not in worker.begun][:share]
        if fresh:
            self.act(lambda: worker.begin(*fresh))

    @rule(
        at=st.integers(0, 2),
        share=st.integers(1, 4),
        outcome=st.sampled_from(["completed", "completed", "failed", "aborted", "retry"]),
        after=st.sampled_from([None, 0, 7_000]),
    )
    def finish_bodies(self, at: int, share: int, outcome: str, after: int | None) -> None:
        worker = self._worker(at)

        def finish() -> None:
            for run_id in sorted(worker.runs)[:share]:
                worker.finish(run_id, outcome=outcome, retry_after_ms=after)

        self.act(finish)

    @rule(
        at=st.integers(0, 2),
        share=st.integers(1, 4),
        kinds=st.lists(st.sampled_from(["time", "run", "event"]), min_size=1, max_size=3),
        ms=st.sampled_from([0, 2_000, 30_000]),
        others=st.lists(runs, min_size=1, max_size=3, unique=True),
        parking=st.sampled_from([True, True, True, False]),
    )
    def wait_in_bodies(
        self,
        at: int,
        share: int,
        kinds: list[str],
        ms: int,
        others: list[str],
        parking: bool,
    ) -> None:
        worker = self._worker(at)
        points = {"time": [], "run": others, "event": ["news"]}

        def wait() -> None:
            for run_id in sorted(worker.runs)[:share]:
                self.waited += 1
                keys = [f"wait#{self.waited}.{number}" for number in range(len(kinds))]
                messages: list[Any] = [
                    worker.waits(run_id, key, kind, points=points[kind], after_ms=ms + 500)
                    for key, kind in zip(keys, kinds, strict=True)
                ]
                if parking:
                    messages.append(worker.parks(run_id, *keys))
                worker.send(*messages)

        self.act(wait)

    @rule()
    def emit(self) -> None:
        with suppress(CommitRejected):
            self.do(self.house.ask(calls.EmitEvent("news")))

    @rule(at=st.integers(0, 2), share=st.integers(1, 4))
    def record_steps(self, at: int, share: int) -> None:
        worker = self._worker(at)

        def record() -> None:
            for run_id in sorted(worker.runs)[:share]:
                self.waited += 1
                worker.record(run_id, Entry(f"step#{self.waited}", self.waited, "step", data="1"))

        self.act(record)

    @rule(at=st.integers(0, 2), share=st.integers(1, 4))
    def drop_what_is_parked(self, at: int, share: int) -> None:
        worker = self._worker(at)
        parked = sorted(worker.parked)[:share]
        if parked:
            self.act(lambda: worker.let_go(*parked))

    @rule(at=st.integers(0, 2))
    def continue_a_body(self, at: int) -> None:
        worker = self._worker(at)
        if worker.runs:
            self.act(lambda: worker.finish(min(worker.runs), outcome="continued", raw="1"))

    @rule(at=st.integers(0, 2))
    def repeat_everything(self, at: int) -> None:
        worker = self._worker(at)
        if worker._link is not None:
            self.act(lambda: [worker.repeat(frame) for frame in worker.sent[-5:]])

    @rule()
    def another_worker(self) -> None:
        if len(self.house.workers) < 3:
            self.act(self._new_worker)

    @rule(at=st.integers(0, 2))
    def break_the_link(self, at: int) -> None:
        self.act(self._worker(at).drop)

    @rule(at=st.integers(0, 2))
    def mend_the_link(self, at: int) -> None:
        worker = self._worker(at)
        if worker._link is None:
            self.act(worker.connect)

    @rule(at=st.integers(0, 2))
    def kill_the_worker(self, at: int) -> None:
        worker = self._worker(at)

        def kill() -> None:
            worker.drop()
            self.house.workers.remove(worker)
            self.house.engine.lost(self.house.env, worker.session_id)
            if not self.house.workers:
                self._new_worker()

        self.act(kill)

    # what the world does

    @rule(ms=st.sampled_from([1, 500, 3_000, 11_000, 16_000, 45_000]), beating=st.booleans())
    def time_passes(self, ms: int, beating: bool) -> None:
        async def pass_by() -> None:
            for step in range(0, ms, 4_000):
                for worker in self.house.workers:
                    if beating and worker._link is not None:
                        await worker.beat()
                await self.house.advance(min(4_000, ms - step))

        self.do(pass_by())

    @rule(ends=st.lists(st.sampled_from(["lost", "kept", "refused"]), min_size=1, max_size=3))
    def the_database_stumbles(self, ends: list[str]) -> None:
        self.house.faults.next.extend(ends)

    @rule()
    def the_server_crashes(self) -> None:
        self.do(self.house.crash())

    @rule(
        victims=st.lists(runs, max_size=4, unique=True),
        outcome=st.sampled_from(["completed", "failed"]),
        dies=st.sampled_from(["nobody", "nobody", "worker", "server"]),
        ms=st.sampled_from([0, 3_000, 16_000]),
    )
    def everything_at_once(self, victims: list[str], outcome: str, dies: str, ms: int) -> None:
        async def at_once() -> None:
            house = self.house
            cancels = [asyncio.ensure_future(house.cancel(run_id)) for run_id in victims]
            others: list[asyncio.Future[Any]] = [
                asyncio.ensure_future(house.trigger(task=task.id)) for task in TASKS
            ]
            for worker in house.workers:
                for run_id in sorted(worker.runs)[::2]:
                    worker.finish(run_id, outcome=outcome)
            house.clock.advance(ms)
            others.append(asyncio.ensure_future(house.engine.tick()))
            if dies == "worker":
                house.engine.lost(house.env, house.workers[0].session_id)
            elif dies == "server":
                await house.crash()
            await asyncio.gather(*others, return_exceptions=True)
            for run_id, end in zip(
                victims, await asyncio.gather(*cancels, return_exceptions=True), strict=True
            ):
                if isinstance(end, Run) and self.known[run_id].final is None:
                    self.known[run_id].canceled |= not end.status.is_final

        self.do(at_once())

    # what is promised

    @invariant()
    def every_promise_holds(self) -> None:
        if hasattr(self, "house"):
            self.loop.run_until_complete(self._check())

    async def _check(self) -> None:
        house = self.house
        assert await house.differences() == []
        shard_id = house.env.shard_id
        live = {row.run_id: row for row in await house.store.live.locate(shard_id, [*self.known])}
        ends = await house.store.live.known(shard_id, [*self.known])
        assert set(ends) == set(self.known), "an acknowledged trigger is lost"
        for run_id, expected in self.known.items():
            end = Status(ends[run_id]) if ends[run_id] else None
            assert (end is None) == (run_id in live), "a run has one place, or one end"
            assert expected.final in (None, end), "a final state never changes"
            expected.final = end
            if expected.canceled and end is not None:
                assert end == "canceled", "a canceled run ends canceled"
            row = live.get(run_id)
            if row is not None:
                assert row.attempt <= expected.attempts
                assert row.place == "parked" or house.clock.now() >= expected.due
        self._check_limits(await house.store.live.active(shard_id))
        await self._check_waits(live, ends)
        held = Counter(
            run_id
            for worker in house.workers
            for run_id, order in worker.runs.items()
            if run_id in live and order.epoch == live[run_id].epoch
        )
        assert max(held.values(), default=0) <= 1, "two workers hold one attempt"

    async def _check_waits(self, live: dict[str, Any], ends: dict[str, str]) -> None:
        house = self.house
        edges = await house.store.waits.of_runs(house.env.shard_id, [*self.known])
        timers = await house.store.live.timers(house.env.shard_id, (-1, "", ""), 1 << 60, 10_000)
        waiting = {edge.run_id for edge in edges}
        for run_id, row in live.items():
            stands_still = row.place == "parked" and row.kind == "wait"
            assert not stands_still or run_id in waiting, "a wake-up is lost"
        assert not [edge for edge in edges if ends[edge.run_id]], "an ended run waits"
        ended = [edge for edge in edges if edge.kind == "run" and ends[edge.waitpoint_id]]
        assert not ended, "a run waits for one that has ended"
        assert {(row.due_at, f"wait:{row.key}", row.run_id) for row in edges if row.due_at} == {
            (row.fire_at, row.kind, row.run_id)
            for row in timers
            if row.kind.startswith("wait:") and row.run_id in self.known
        }, "each wait has its timer, and no other"
        for worker in house.workers:
            for run_id, order in worker.parked.items() if worker._link is not None else ():
                row = live.get(run_id)
                active = row is not None and row.place == "active" and row.epoch == order.epoch
                assert not active or row.cancel_at is not None, "a run sleeps in a slot"

    def _check_limits(self, active: list[Any]) -> None:
        queues = Counter(row.queue for row in active)
        keys = Counter((row.queue, row.ckey) for row in active)
        assert queues["narrow"] <= 2
        assert queues["keyed"] <= 3
        assert all(count <= 1 for (queue, _), count in keys.items() if queue == "keyed")

    def _new_worker(self) -> None:
        self.made += 1
        worker = Worker(
            self.house, TASKS, number=self.made, slots=SLOTS, queues=QUEUES, obedient=True
        )
        self.house.workers.append(worker)
        worker.connect()

    def _worker(self, at: int) -> Worker:
        return self.house.workers[at % len(self.house.workers)]

    def _frees(self, run_id: str) -> bool:
        return self.do(self.house.run(run_id)).status in FREES_KEY

    def teardown(self) -> None:
        try:
            if hasattr(self, "house"):
                self.loop.run_until_complete(self._end())
        finally:
            self.loop.run_until_complete(self._close())
            self.loop.close()

    async def _close(self) -> None:
        if hasattr(self, "house"):
            await self.house.stop()
        await self.store.close()

    async def _end(self) -> None:
        """Whatever happened: with one healthy worker, every run comes to its end."""
        house = self.house
        house.faults.next.clear()
        for worker in list(house.workers):
            worker.drop()
            house.engine.lost(house.env, worker.session_id)
        house.workers.clear()
        for queue in QUEUES:
            await house.ask(calls.PauseQueue(queue.name, paused=False))
        last = Worker(house, TASKS, number=99, slots=100, queues=QUEUES, inside=True, obedient=True)
        last.connect()
        for _ in range(200):
            await house.advance(5_000)
            for run_id in sorted(last.runs):
                last.finish(run_id)
            await house.settle()
            if not house.owner.state.lives and not await self._waiting():
                break
        await self._check()
        assert {run_id for run_id, run in self.known.items() if run.final is None} == set()
        started = Counter((order.run_id, order.epoch) for order in last.took(Execute))
        assert max(started.values(), default=1) == 1

    async def _waiting(self) -> bool:
        rows = await self.house.store.live.locate(self.house.env.shard_id, [*self.known])
        return bool(rows)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_promise_holds_under_random_verbs_faults_and_crashes(
    make_store: Callable[[], Store], request: pytest.FixtureRequest
) -> None:
    numbers = itertools.count()
    kind = request.node.callspec.params["make_store"]
    run_state_machine_as_test(
        lambda: Engine(make_store, f"preview-{next(numbers)}"),  # nothing is left of the last one
        settings=settings(
            max_examples={"memory": 100, "file": 30, "postgres": 15}[kind],
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
