"""What was promised, kept by an observer outside of the engine, and where a promise is broken.

It sees each commit at the moment in which that becomes durable, what code of runs does in workers,
and what callers are answered. It never looks into the engine's memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mainspring.model.run import FREES_KEY, Run, Status
from mainspring.store.changes import PLAN, Changes, Claimed
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.worker import Record
from mainspring.worker.slots import Held
from tools.sim.tasks import QUEUES
from tools.sim.ticks import Ticks
from tools.sim.world import World

if TYPE_CHECKING:
    from tools.sim.worker import Worker

_decode: Final = msgspec.json.Decoder().decode
Key = tuple[str, str]
RESTARTED_S: Final = 26.0
"""So long after a worker's death its runs go on elsewhere: a lease, a takeover, and some seconds in
which a database that was away hid how long an owner had been dead.
"""
ANY: Final = "?"
"""Begins the number of a request that may become several runs."""
EVERYTHING: Final = "*"
"""Stands among queues for the whole environment."""


class Made(msgspec.Struct):
    """A run that is stored."""

    run_id: str
    task: str
    queue: str
    ckey: str
    number: str


class Ledger:
    """Everything that must hold of one environment, and what it follows from.

    Attributes:
        runs: stored runs, `done` how they ended.
        active: runs that hold a slot by the rows, with their epoch.
        pinned: the versions that they may run in only; "" = any.
        holders: ids of the sessions that they were given to last.
        due: before which moment (`World.passed_ms`) a run must not begin.
        limits: of a queue, what was in force since when (`World.passed_ms`).
        ticks: what holds of schedules.
        copies: runs with the payload, and so the number, of another one.
        bulks: what became of bulk actions so far.
        paused: queues whose pause was acknowledged, since when (epoch ms).
        setting: queues that somebody sets at the moment; `unsure` those of which nobody knows what
            is in force.
    """

    def __init__(self, world: World, env: EnvironmentRow) -> None:
        self.world = world
        self.env = env
        self.workers: list[Worker] = []
        self.runs: dict[str, Made] = {}
        self.numbers: dict[str, str] = {}
        self.done: dict[str, Status] = {}
        self.active: dict[str, int] = {}
        self.holders: dict[str, str] = {}
        self.pinned: dict[str, str] = {}
        self.claimed_at: dict[tuple[str, int], int] = {}
        self.canceled: set[str] = set()
        self.due: dict[str, int] = {}
        self.keys: dict[Key, tuple[str, int]] = {}
        self.steps: set[tuple[str, int, str]] = set()
        self.waits: dict[tuple[str, int, int], int] = {}
        self.tokens: dict[str, bool] = {}
        self.limits: dict[str, list[tuple[int, int | None]]] = {
            spec.name: [(0, spec.limit)] for spec in QUEUES.values()
        }
        self.ticks = Ticks(world)
        self.copies: set[str] = set()
        self.bulks: dict[str, str] = {}
        self.paused: dict[str, int] = {}
        self.setting: set[str] = set()
        self.unsure: set[str] = set()
        self.starts: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.commits = 0
        self.executed = 0
        self.live = 0
        self._replayed: set[tuple[str, str]] = set()
        self._resumes: dict[str, bool] = {}
        self._held: dict[str, Counter[str]] = defaultdict(Counter)

    # what becomes durable

    def committed(self, epoch: int, changes: Changes, claimed: list[Claimed]) -> None:
        """A commit is durable."""
        self.commits += 1
        self._dropped(changes)
        for row in changes.run:
            self._stored(row)
        for _, task, key, run_id, expires_at in changes.key:
            self._keyed((task, key), run_id, expires_at, changes.now)
        for row in changes.ready:
            self._resumes[row[0]] = bool(row[6])
        self._begun(changes, claimed)
        for row in changes.cancel:
            self.canceled.add(row[0])
        for row in changes.bulk:
            self.bulks[row[0]] = row[3]
        if changes.schedule or changes.tick or changes.drop_schedule:
            self.ticks.committed(changes)
        counts = [f"{name}:{len(rows)}" for name in PLAN if (rows := getattr(changes, name))]
        self.world.note("commit", self.env.shard_id, epoch, *counts)

    def _dropped(self, changes: Changes) -> None:
        for row in changes.drop_active:
            self._leave(row[0])
        for row in changes.done:
            self._ended(row[0], Status(row[4]))
        for _, task, key, run_id in changes.drop_key:
            if self.keys.get((task, key), ("", 0))[0] == run_id:
                del self.keys[task, key]

    def _begun(self, changes: Changes, claimed: list[Claimed]) -> None:
        for row in changes.start:
            self._placed(row[0], row[6], row[4])
            self._claimed(row[0], row[7], changes.now, resume=False)
        for row in changes.claim:
            self._placed(*row)
        for one in claimed:
            resume = self._resumes.get(one.run_id, False)
            self._claimed(one.run_id, one.epoch, changes.now, resume=resume)
        if changes.start or claimed:
            self._check_rows()

    def _placed(self, run_id: str, session_id: str, version: str) -> None:
        """A run is given to a session, of its version if it has one, which it then keeps."""
        self.holders[run_id] = session_id
        pinned = self.pinned.setdefault(run_id, version) or version
        name = session_id.removeprefix("ses_").partition(".")[0]
        found = next(one.version for one in self.workers if one.node.name == name)
        if version != pinned or found != (version or found):
            self.world.fail(
                f"{run_id} of version {pinned!r} was claimed as of {version!r} for {session_id}, "
                f"which has {found!r}"
            )
        self.pinned[run_id] = version

    def _stored(self, row: tuple[Any, ...]) -> None:
        run_id, _, task, queue, ckey, _, payload, _, options = row[:9]
        found = _decode(payload) if payload else {}
        number = str(found.get("n", "")) if isinstance(found, dict) else ""
        if options and "replay_of" in options:
            self._replays(run_id, _decode(options))
        elif number and number[0] != ANY:
            other = self.numbers.setdefault(number, run_id)
            if other != run_id:
                self.world.fail(f"request {number} became two runs, {other} and {run_id}")
        if run_id not in self.runs:
            self.runs[run_id] = Made(run_id, task, queue, ckey, number)
            self.live += 1

    def _replays(self, run_id: str, options: dict[str, Any]) -> None:
        """A bulk action replays each of its runs once."""
        bulk_id, of = options.get("bulk_id"), options["replay_of"]
        if bulk_id is None:
            return
        self.copies.add(run_id)
        if (bulk_id, of) in self._replayed:
            self.world.fail(f"{bulk_id} has replayed {of} once more, as {run_id}")
        self._replayed.add((bulk_id, of))

    def _ended(self, run_id: str, status: Status) -> None:
        before = self.done.get(run_id)
        if before is not None:
            self.world.fail(f"{run_id} ended as {before.value}, and again as {status.value}")
        elif run_id in self.canceled and status is not Status.CANCELED:
            self.world.fail(f"{run_id} was canceled and ended as {status.value}")
        elif status is Status.EXPIRED and (run_id, 1) in self.claimed_at:
            self.world.fail(f"{run_id} had been started, and expired")
        self.world.note("end", run_id, status.value)
        self.done[run_id] = status
        self.live -= before is None

    def _keyed(self, key: Key, run_id: str, expires_at: int, now: int) -> None:
        holder, until = self.keys.get(key, ("", 0))
        if holder and holder != run_id and until > max(now, self.world.latest_ms):
            status = self.done.get(holder)
            if status is None or status not in FREES_KEY:
                self.world.fail(f"key {key} was {holder}'s ({status}), and is {run_id}'s now")
        self.keys[key] = run_id, expires_at

    def _claimed(self, run_id: str, epoch: int, now: int, *, resume: bool) -> None:
        if run_id in self.active:
            self.world.fail(f"{run_id} was claimed twice, in epochs {self.active[run_id]}, {epoch}")
        if run_id in self.done:
            self.world.fail(f"{run_id} was claimed after its end")
        self.active[run_id] = epoch
        self.claimed_at[run_id, epoch] = min(now + self.world.back_ms, self.world.passed_ms())
        made = self.runs[run_id]
        self._held[made.queue][made.ckey] += 1
        self.world.note("claim", run_id, epoch, made.queue, made.ckey, "resume" * resume)
        if resume:
            return
        for name in (made.queue, EVERYTHING):
            since = self.paused.get(name)
            if since is not None and now > since and name not in self.unsure:
                self.world.fail(f"{run_id} was claimed from queue {made.queue}; {name} is paused")
        self._check_rate(made, now)

    def _leave(self, run_id: str) -> None:
        if self.active.pop(run_id, None) is not None:
            made = self.runs[run_id]
            self._held[made.queue][made.ckey] -= 1

    def _check_rate(self, made: Made, now: int) -> None:
        rate = QUEUES[made.queue].rate if made.queue in QUEUES else None
        if rate is None:
            return
        starts = self.starts[made.queue]
        real = int(self.world.now * 1000)
        starts.append((now, real))
        burst = rate.burst or rate.limit
        for back in range(1, min(len(starts), 12)):
            wall_at, real_at = starts[-1 - back]
            window = max(now - wall_at, real - real_at)  # the wall clock may be set either way
            if back + 1 > burst + window * rate.limit // rate.period_ms:
                self.world.fail(f"{back + 1} starts of queue {made.queue} within {window} ms")

    def _check_rows(self) -> None:
        """No limit is exceeded by the rows."""
        for queue, keys in self._held.items():
            since = min(
                (
                    self.claimed_at[run_id, epoch]
                    for run_id, epoch in self.active.items()
                    if self.runs[run_id].queue == queue
                ),
                default=0,
            )
            self._check_counts(queue, keys, since, "hold slots")

    def _check_counts(self, queue: str, keys: Counter[str], since: int, what: str) -> None:
        spec = QUEUES.get(queue)
        if spec is None or queue in self.unsure:
            return
        limit, whole = self._allowed(queue, since), sum(keys.values())
        if spec.total is not None and whole > spec.total:
            self.world.fail(f"{whole} runs of queue {queue} {what}, and {spec.total} may")
        for key, count in keys.items():
            if limit is not None and count > limit:
                self.world.fail(f"{count} runs of queue {queue} {key!r} {what}, and {limit} may")
        if limit is not None and "" in keys and not spec.total and whole > limit:
            self.world.fail(f"{whole} runs of queue {queue} {what}, and {limit} may")

    def _allowed(self, queue: str, since: int) -> int | None:
        """The greatest limit that was in force since that moment."""
        history = self.limits[queue]
        values = [limit for at, limit in history[1:] if at >= since]
        values.append([limit for at, limit in history if at <= since or at == 0][-1])
        return None if None in values else max(value for value in values if value is not None)

    # what code of runs does

    def executing(self) -> list[tuple[Worker, Held]]:
        """The attempts whose code executes under a valid lease, parked ones not."""
        found = []
        for worker in self.workers:
            session = worker.session
            if worker.node.dead or session is None or session.ended.done():
                continue
            if session.lease is None or session.lease.lapsed:
                continue
            found += [
                (worker, run) for run in session._slots.held.values() if run.begun and not run.lost
            ]
        return found

    def check_executing(self) -> None:
        """At most one attempt of a run, and no more of a queue than its limit."""
        runs: Counter[str] = Counter()
        queues: dict[str, Counter[str]] = defaultdict(Counter)
        oldest: dict[str, int] = {}
        for _, run in self.executing():
            order = run.order
            at = self.claimed_at.get((order.run_id, order.epoch))
            if run.stop is not None and order.run_id in self.done:
                continue  # it was canceled while it waited, and cleans up
            if at is None or self.active.get(order.run_id) != order.epoch:
                now = self.active.get(order.run_id)
                self.world.fail(
                    f"{order.run_id} executes under a lease in epoch {order.epoch}, "
                    f"and by the rows in {now} ({self.done.get(order.run_id, 'live')})"
                )
                return
            runs[order.run_id] += 1
            queues[order.queue][order.concurrency_key] += 1
            oldest[order.queue] = min(at, oldest.get(order.queue, at))
        for run_id, count in runs.items():
            if count > 1:
                self.world.fail(f"{count} attempts of {run_id} execute under valid leases")
        for queue, keys in queues.items():
            self._check_counts(queue, keys, oldest[queue], "execute")

    def check_dead(self, able_since: float) -> None:
        """No run waits for a worker that has died, once its lease is over: whatever became of the
        owners meanwhile. `able_since`: since when the owner of now has lived and not been cut off.
        """
        died = {
            worker.node.name: worker.died_at
            for worker in self.workers
            if worker.node.dead and able_since <= worker.died_at < self.world.now - RESTARTED_S
        }
        for run_id in self.active if died else ():
            name = self.holders[run_id].removeprefix("ses_").partition(".")[0]
            if name in died:
                ago = self.world.now - died[name]
                self.world.fail(f"{run_id} waits for {name}, which died {ago:.1f} s ago")

    def entered(self, run_id: str, epoch: int, attempt: int, most: int) -> None:
        """A body has begun."""
        self.executed += 1
        self.world.note("body", run_id, epoch, attempt)
        now = self.world.passed_ms()
        if now < self.due.get(run_id, 0):
            self.world.fail(f"{run_id} began {self.due[run_id] - now} ms too early")
        if attempt > most:
            self.world.fail(f"{run_id} is in attempt {attempt} of {most}")
        if run_id not in self.runs:
            self.world.fail(f"{run_id} executes and is not stored")
        self.check_executing()

    def begins(self, run_id: str, number: str) -> str:
        """What the numbers of its children begin with: those of a copy may come again."""
        return f"{ANY}{run_id}" if run_id in self.copies else number

    def performs(self, run_id: str, generation: int, key: str) -> None:
        """The body of a step is executed."""
        if (run_id, generation, key) in self.steps:
            self.world.fail(f"step {key} of {run_id} was acknowledged, and is executed again")

    def acknowledged(self, record: Record) -> None:
        """A worker was told that entries are durable."""
        for entry in record.entries:
            if entry.kind == "step" and entry.status == "completed":
                self.steps.add((record.run_id, record.generation, entry.key))

    def waits_for(self, run_id: str, generation: int, place: int, ms: int) -> None:
        """Code begins to wait for time, or does so again after it was lost."""
        self.waits.setdefault((run_id, generation, place), self.world.passed_ms() + ms)

    def waited(self, run_id: str, generation: int, place: int) -> None:
        """That wait is over."""
        early = self.waits[run_id, generation, place] - self.world.passed_ms()
        if early > 0:
            self.world.fail(f"a wait of {run_id} ended {early} ms too early")

    # what callers are told

    def promised(self, run_id: str, number: str | None) -> None:
        """A trigger was acknowledged; `number` is of the request that must have made the run."""
        if run_id not in self.runs:
            self.world.fail(f"{run_id} was acknowledged, and is not stored")
        elif number and number[0] != ANY and self.numbers.get(number) != run_id:
            self.world.fail(f"request {number} was answered with {run_id}, which is another's")

    def seen(self, run: Run) -> None:
        """A caller was shown a run."""
        end = self.done.get(run.id)
        if run.status.is_final and end != run.status:
            self.world.fail(f"{run.id} was shown as {run.status.value}; it is {end}")
        pinned = self.pinned.get(run.id, "")
        if run.status.is_final and pinned not in {"", run.version}:
            self.world.fail(f"{run.id} was shown as of {run.version!r}; it was of {pinned!r}")

    def may_limit(self, queue: str, limit: int) -> None:
        """Somebody asks for another limit: from now on either may be in force."""
        history = self.limits[queue]
        history.append((self.world.passed_ms(), max(history[-1][1] or 0, limit)))

    def limited(self, queue: str, limit: int) -> None:
        """The limit is in force."""
        self.limits[queue].append((self.world.passed_ms(), limit))

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return not self.live and "pending" not in self.bulks.values()

    def unfinished(self) -> list[str]:
        """Runs that have not ended."""
        return [run_id for run_id in self.runs if run_id not in self.done]
