"""The scheduler core of one shard: what may run next. No I/O, no clock, no randomness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mainspring.dispatch.lanes import Entry, LaneKey, Reading, pack
from mainspring.dispatch.limits import EnvironmentLimits, KeyLimits, QueueLimits
from mainspring.dispatch.nodes import Key, Lane
from mainspring.dispatch.pick import Claim, Picker
from mainspring.dispatch.rate import Rates
from mainspring.dispatch.tree import Tree


class Core:
    """Lanes, limits, fairness and rates of one shard.

    `now` is epoch ms, above 0, and never goes backwards within one core. A lane handle (`Lane`)
    stays valid while a run claimed, started or occupied through it holds its slot.

    At takeover: `set_*`, `rates.restore`, `occupy` for each active run, then `load` per lane and
    `push(resume=True)` for each ready row with the resume flag.
    """

    def __init__(self, low: int = 256, high: int = 4096, budget: int = 1_000_000) -> None:
        """Refill lanes below `low` runs in memory, trim them above `high`.

        With many lanes both shrink, so that about `budget` runs are in memory (a run takes 105
        bytes, a lane 600).
        """
        self.rates = Rates()
        self.tree = Tree(self.rates, max(low, 1), max(low, high, 1), budget)
        self._picker = Picker(self.tree)

    def set_environment(self, env: int, limits: EnvironmentLimits) -> None:
        """Set an environment's limits and pause, live. Lowering only stops new claims."""
        self.tree.set_environment(env, limits)

    def set_queue(self, env: int, queue: str, limits: QueueLimits) -> None:
        """Set a queue's limits, weight, rate and pause, live."""
        self.tree.set_queue(env, queue, limits)

    def set_key(self, env: int, queue: str, key: str, limits: KeyLimits | None) -> None:
        """Set or (None) remove what differs for one key, live."""
        self.tree.set_key(env, queue, key, limits)

    def push(
        self, lane_key: LaneKey, ord: int, run_id: str, resume: bool = False, cost: int = 1
    ) -> None:
        """Queue a run whose `ready` row is committed. Twice is once while it is in memory.

        Beyond the lane's window it is only counted and comes back by a refill. A resume goes ahead
        of all new entries of its lane, stays in memory and spends no rate.
        """
        self._enter(self.tree.lane(lane_key), pack(ord, run_id), resume, cost)

    def push_many(
        self, lane_key: LaneKey, entries: Iterable[Entry], costs: Mapping[str, int] | None = None
    ) -> None:
        """Queue many runs of one lane; `costs` names those that cost other than 1."""
        lane = self.tree.lane(lane_key)
        insert, high, count = lane.insert, self.tree.high, 0
        for ord, run_id in entries:
            text = pack(ord, run_id)
            if insert(text, high):
                count += 1
                if costs and run_id in costs:
                    lane.set_cost(text, costs[run_id])
        lane.key.queue.queued += count
        if lane.end is not None:
            self.tree.check_window(lane)
        self.tree.let_go(lane)
        if not lane.listed:
            self.tree.list_lane(lane)
            self.tree.drop(lane.key)  # nothing to queue, nothing to keep

    def remove(self, lane_key: LaneKey, ord: int, run_id: str, resume: bool = False) -> bool:
        """Take a waiting run out (cancel, expire). False if the lane does not hold it any more.

        Beyond the window nobody can tell, so the caller must know that the row was there.
        """
        lane = self.tree.find(lane_key)
        if lane is None:
            return False
        text = pack(ord, run_id)
        if not (lane.discard_resume(text) if resume else lane.discard(text)):
            return False
        lane.key.queue.queued -= 1
        self.tree.let_go(lane)  # the next one may be cheaper
        if lane.end is not None:
            self.tree.check_window(lane)
        self.tree.emptied(lane)
        return True

    def load(self, lane_key: LaneKey, queued: int, cursor: Entry | None = None) -> Lane:
        """Register a lane at takeover: `queued` new (not resumed) rows lie after `cursor`.

        They are read by the refill that the lane asks for at once. A lane that is known is begun
        anew: its window is forgotten, its resumes and slots stay.
        """
        lane = self.tree.lane(lane_key)
        lane.key.queue.queued += queued - lane.beyond - lane.in_memory
        lane.reset(queued, cursor)
        self.tree.check_window(lane)
        return lane

    def refills(self, limit: int = 64) -> list[Lane]:
        """Return lanes that need rows from the database; each once, until `refill` answers it.

        Read for each `(ord, run_id) > lane.cursor AND NOT resume ORDER BY ord, run_id LIMIT n`.
        Pushes and removes between this call and `refill` are merged. Rule for the owner: a commit
        that the read could see must have been pushed before `refill` is called.
        """
        lanes: list[Lane] = []
        thirsty = self.tree.thirsty
        while thirsty and len(lanes) < limit:
            lane, _ = thirsty.popitem(last=False)
            lane.reading = Reading()
            lanes.append(lane)
        return lanes

    def refill(
        self,
        lane: Lane,
        entries: Sequence[Entry],
        exhausted: bool,
        costs: Mapping[str, int] | None = None,
    ) -> None:
        """Take in the rows read for a lane of `refills`.

        `exhausted` = the read returned fewer rows than its limit. A failed read is answered with
        no entries and `exhausted=False`: the lane asks again.
        """
        lane.key.queue.queued += lane.extend(entries, exhausted, costs)
        if lane.end is not None:
            self.tree.check_window(lane)
        if not lane.listed:
            self.tree.list_lane(lane)
            self.tree.drop(lane.key)

    def claim(
        self, env: int, version: str, n: int, now: int, *, pinned: bool = False
    ) -> list[Claim]:
        """Choose up to `n` runs for workers of a version and take their slots.

        Such workers take runs pinned to their version and, unless they are to take `pinned` ones
        only, runs pinned to none. Full lanes, queues and environments are not looked at.
        """
        environment = self.tree.environments.get(env)
        if environment is None:
            return []
        return self._picker.claim(environment, version, n, now, pinned)

    def start(
        self, lane_key: LaneKey, now: int, cost: int = 1, version: str | None = None
    ) -> Lane | None:
        """Take a slot at once for a run that was never queued; None if it has to be pushed.

        Only when its lane is empty, every gate passes and no lane waits that workers of `version`
        (default: the lane's own) could serve instead.
        """
        environment = self.tree.environment(lane_key[0])
        self._picker.wake(now)
        if self._picker.anyone_waits(environment, version or lane_key[3], now):
            return None
        lane = self.tree.lane(lane_key)
        key, queue, rate = lane.key, lane.key.queue, lane.key.queue.rate
        if (
            lane.queued
            or key.wake_at  # whoever waits for the rate goes first
            or queue.wake_at
            or key.running >= key.cap
            or queue.running >= queue.cap
            or environment.running >= environment.cap
        ):
            self.tree.drop(key)
            return None
        if rate is not None:
            bucket = (environment.id, queue.name, key.name if rate.per_key else "")
            if self.rates.free_at(bucket, rate, cost, now):
                self.tree.drop(key)
                return None
            self.rates.spend(bucket, rate, cost, now)
        key.occupy(1)
        return lane

    def release(self, lane: Lane, now: int) -> None:
        """Give one slot back."""
        lane.key.complete(now)
        self._vacate(lane.key)

    def release_many(self, lanes: Iterable[Lane], now: int) -> None:
        """Give one slot back per handle; a handle may occur several times."""
        release = self.release
        for lane in lanes:
            release(lane, now)

    def occupy(self, lane_key: LaneKey, count: int = 1) -> Lane:
        """Count slots held by active rows at takeover; passes no gate and may exceed limits."""
        lane = self.tree.lane(lane_key)
        lane.key.occupy(count)
        return lane

    def unclaim(
        self,
        lane: Lane,
        ord: int,
        run_id: str,
        now: int,
        *,
        resume: bool = False,
        cost: int = 1,
        refund: bool = False,
    ) -> None:
        """Withdraw a claim: slot back, run back at its place. `refund` returns its rate too."""
        key, queue = lane.key, lane.key.queue
        self._enter(lane, pack(ord, run_id), resume, cost)
        self._vacate(key)
        if refund and not resume:
            self.rates.settle(queue.env.id, queue.name, key.name, cost, 0, now)

    def _enter(self, lane: Lane, text: str, resume: bool, cost: int) -> None:
        if resume:
            fresh = lane.insert_resume(text)
        else:
            fresh = lane.insert(text, self.tree.high)
            if cost != 1:
                lane.set_cost(text, cost)
            if lane.end is not None:
                self.tree.check_window(lane)
            if lane.items and lane.items[lane.head] is text:
                self.tree.let_go(lane)  # a new head may be cheaper
        if fresh:
            lane.key.queue.queued += 1
        if resume or not lane.listed:
            self.tree.list_lane(lane)

    def _vacate(self, key: Key) -> None:
        queue = key.queue
        assert key.running > 0, (
            f"released more slots of {queue.name!r} {key.name!r} than were taken"
        )
        key.running -= 1
        queue.running -= 1
        queue.env.running -= 1
        if key.full:
            self.tree.reopen_key(key)
        if queue.full:
            self.tree.reopen_queue(queue)
        if not key.running:
            self.tree.drop(key)
