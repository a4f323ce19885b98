"""The scheduler core of one shard: what may run next. No I/O, no clock, no randomness."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from mainspring.dispatch.fairness import earlier
from mainspring.dispatch.lanes import START, Entry, LaneKey, Reading
from mainspring.dispatch.limits import EnvironmentLimits, KeyLimits, QueueLimits
from mainspring.dispatch.rate import Rates
from mainspring.dispatch.tree import PACE_MS, Environment, Key, Lane, Queue, Track, Tree

Claim = tuple[Lane, int, str, bool]
"""(lane handle, ord, run id, resume). A resume spends no rate; every other claim does."""


class Core:
    """Lanes, limits, fairness and rates of one shard.

    `now` is epoch ms, above 0, and never goes backwards within one core. A lane handle (`Lane`)
    stays valid while a run claimed, started or occupied through it holds its slot.

    At takeover: `set_*`, `rates.restore`, `occupy` for each active run, then `load` per lane and
    `push(resume=True)` for each ready row with the resume flag.
    """

    def __init__(self, low: int = 256, high: int = 4096) -> None:
        """Refill lanes below `low` entries in memory, trim them above `high`."""
        self.rates = Rates()
        self.tree = Tree(self.rates)
        self._low = low
        self._high = max(low, high, 1)
        self._thirsty: OrderedDict[Lane, None] = OrderedDict()

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
        self._enter(self.tree.lane(lane_key), (ord, run_id), resume, cost)

    def push_many(
        self, lane_key: LaneKey, entries: Iterable[Entry], costs: Mapping[str, int] | None = None
    ) -> None:
        """Queue many runs of one lane; `costs` names those that cost other than 1."""
        lane = self.tree.lane(lane_key)
        insert, high, count = lane.insert, self._high, 0
        for entry in entries:
            if insert(entry, high):
                count += 1
                if costs and entry[1] in costs:
                    lane.set_cost(entry, costs[entry[1]])
        lane.key.queue.queued += count
        if lane.cursor is not None:
            self._check_window(lane)
        if not lane.listed:
            self.tree.list_lane(lane)

    def remove(self, lane_key: LaneKey, ord: int, run_id: str, resume: bool = False) -> bool:
        """Take a waiting run out (cancel, expire). False if the lane does not hold it any more.

        Beyond the window nobody can tell, so the caller must know that the row was there.
        """
        lane = self.tree.find(lane_key)
        if lane is None or not lane.discard((ord, run_id), resume):
            return False
        lane.key.queue.queued -= 1
        if lane.cursor is not None:
            self._check_window(lane)
        self.tree.emptied(lane)
        return True

    def load(self, lane_key: LaneKey, queued: int, cursor: Entry | None = None) -> Lane:
        """Register a lane at takeover: `queued` new (not resumed) rows lie after `cursor`.

        They are read by the refill that the lane asks for at once. A lane that is known is begun
        anew: its window is forgotten, its resumes and slots stay.
        """
        lane = self.tree.lane(lane_key)
        lane.key.queue.queued += queued - lane.beyond - lane.in_memory
        lane.reset(queued, cursor or START)
        self._check_window(lane)
        return lane

    def refills(self, limit: int = 64) -> list[Lane]:
        """Return lanes that need rows from the database; each once, until `refill` answers it.

        Read for each `(ord, run_id) > lane.cursor AND NOT resume ORDER BY ord, run_id LIMIT n`.
        Pushes and removes between this call and `refill` are merged. Rule for the owner: a commit
        that the read could see must have been pushed before `refill` is called.
        """
        lanes: list[Lane] = []
        while self._thirsty and len(lanes) < limit:
            lane, _ = self._thirsty.popitem(last=False)
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
        if lane.cursor is not None:
            self._check_window(lane)
        if not lane.listed:
            self.tree.list_lane(lane)
            self.tree.drop(lane.key)

    def claim(self, env: int, version: str, n: int, now: int) -> list[Claim]:
        """Choose up to `n` runs for workers of a version and take their slots.

        Such workers take runs pinned to their version and runs pinned to none. Full lanes, queues
        and environments are not looked at.
        """
        environment = self.tree.environments.get(env)
        if environment is None:
            return []
        self._wake(now)
        claims: list[Claim] = []
        room = min(n, environment.cap - environment.running)
        general = environment.tracks.get("")
        pinned = environment.tracks.get(version) if version else None
        while room > 0:
            turns = earlier(general, pinned)
            if turns is None:
                break
            track = turns.pop()
            track.listed = False
            queue = track.queue
            if track.tag < queue.tag:  # it had its turn by another version since it was listed
                self.tree.list_track(track)
                queue.tag = min(queue.tag, track.tag)
                continue
            taken = self._serve(track, version, 1 if general or pinned else room, now, claims)
            if taken:
                room -= taken
                environment.virtual = max(environment.virtual, track.tag)
                queue.tag = environment.virtual + queue.stride
            self.tree.list_track(track)
        return claims

    def start(
        self, lane_key: LaneKey, now: int, cost: int = 1, version: str | None = None
    ) -> Lane | None:
        """Take a slot at once for a run that was never queued; None if it has to be pushed.

        Only when its lane is empty, every gate passes and no lane waits that workers of `version`
        (default: the lane's own) could serve instead.
        """
        lane = self.tree.lane(lane_key)
        key, queue = lane.key, lane.key.queue
        environment, rate = queue.env, queue.rate
        self._wake(now)
        if (
            lane.queued
            or key.running >= key.cap
            or queue.running >= queue.cap
            or environment.running >= environment.cap
            or self._anyone_waits(environment, lane.version if version is None else version, now)
        ):
            self.tree.drop(key)
            return None
        if rate is not None:
            bucket = (environment.id, queue.name, key.name if rate.per_key else "")
            if self.rates.free_at(bucket, rate, cost, now):
                self.tree.drop(key)
                return None
            self.rates.spend(bucket, rate, cost, now)
        self._occupy(key, 1)
        return lane

    def release(self, lane: Lane, now: int) -> None:
        """Give one slot back."""
        key = lane.key
        key.done += 1
        if now - key.since >= PACE_MS:
            key.measure(now)
        self._vacate(key)

    def release_many(self, lanes: Iterable[Lane], now: int) -> None:
        """Give one slot back per handle; a handle may occur several times."""
        release = self.release
        for lane in lanes:
            release(lane, now)

    def occupy(self, lane_key: LaneKey, count: int = 1) -> Lane:
        """Count slots held by active rows at takeover; passes no gate and may exceed limits."""
        lane = self.tree.lane(lane_key)
        self._occupy(lane.key, count)
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
        self._enter(lane, (ord, run_id), resume, cost)
        self._vacate(key)
        if refund and not resume:
            self.rates.settle(queue.env.id, queue.name, key.name, cost, 0, now)

    def _enter(self, lane: Lane, entry: Entry, resume: bool, cost: int) -> None:
        if resume:
            fresh = lane.insert_resume(entry)
        else:
            fresh = lane.insert(entry, self._high)
            if cost != 1:
                lane.set_cost(entry, cost)
            if lane.cursor is not None:
                self._check_window(lane)
        if fresh:
            lane.key.queue.queued += 1
        if resume or not lane.listed:
            self.tree.list_lane(lane)

    def _check_window(self, lane: Lane) -> None:
        """Ask for rows if few are left in memory and the database holds more."""
        if len(lane.items) - lane.head < self._low and lane.reading is None:
            self._thirsty[lane] = None

    def _serve(self, track: Track, version: str, n: int, now: int, claims: list[Claim]) -> int:
        """Claim up to `n` runs of a queue, each lane in its turn; returns how many."""
        queue = track.queue
        n = min(n, queue.cap - queue.running)
        taken = 0
        while taken < n:
            lane = self._next_lane(track, version, now)
            if lane is None:
                break
            alone = not (queue.tracks.get("") or queue.tracks.get(version))
            taken += self._take(lane, track, n - taken if alone else 1, now, claims)
        return taken

    def _next_lane(self, track: Track, version: str, now: int) -> Lane | None:
        """Take out of the line the lane whose turn it is, and that passes every gate of its key."""
        queue = track.queue
        if queue.wake_at:
            return self._next_resuming(track)
        general = queue.tracks.get("")
        pinned = queue.tracks.get(version) if version else None
        while True:
            turns = earlier(general, pinned)
            if turns is None:
                return None
            lane = turns.pop()
            lane.listed = False
            key = lane.key
            if key.running >= key.cap:
                key.full = True
            elif lane.resumes:
                return lane
            elif lane.head == len(lane.items):
                self.tree.drop(key)
            elif queue.rate is None or (not key.wake_at and self._passes_rate(lane, now)):
                return lane
            elif not queue.rate.per_key:  # all lanes have to wait: this one keeps its place
                turns.put_back(lane)
                lane.listed = True
                return None

    def _next_resuming(self, track: Track) -> Lane | None:
        """Return the lane whose resume is next while a rate holds everything else of the queue."""
        while track.resuming:
            lane = next(iter(track.resuming))
            if lane.resumes and lane.key.running < lane.key.cap:
                return lane
            lane.key.full = True
            del track.resuming[lane]
        return None

    def _passes_rate(self, lane: Lane, now: int) -> bool:
        """Ask the rate for the first run of a lane; holds the key or the queue if it must wait."""
        key, queue, rate = lane.key, lane.key.queue, lane.key.queue.rate
        assert rate is not None
        bucket = (queue.env.id, queue.name, key.name if rate.per_key else "")
        at = self.rates.free_at(bucket, rate, lane.first_cost(), now)
        if at:
            self.rates.hold(bucket, key if rate.per_key else queue, at)
        return not at

    def _take(self, lane: Lane, track: Track, n: int, now: int, claims: list[Claim]) -> int:
        """Claim the first runs of a lane, and let it stand in line again if it may."""
        key, queue, rate = lane.key, lane.key.queue, lane.key.queue.rate
        if lane.resumes:
            entries, resume = [lane.take_resume()], True
            track.resuming.pop(lane, None)
        elif rate is None:
            entries, resume = lane.take(min(n, key.cap - key.running)), False
            if lane.costs is not None:
                for entry in entries:
                    lane.take_cost(entry[1])
        else:
            entries, resume = lane.take(1), False
            bucket = (queue.env.id, queue.name, key.name if rate.per_key else "")
            self.rates.spend(bucket, rate, lane.take_cost(entries[0][1]), now)
        for ord, run_id in entries:
            claims.append((lane, ord, run_id, resume))
        taken = len(entries)
        queue.queued -= taken
        queue.virtual = max(queue.virtual, lane.tag)
        self._occupy(key, taken)
        if lane.cursor is not None:
            self._check_window(lane)
        self.tree.list_lane(lane)
        return taken

    def _anyone_waits(self, environment: Environment, version: str, now: int) -> bool:
        """Tell whether a lane could run on workers of a version; tidies the lines on its way."""
        for name in ("", version) if version else ("",):
            turns = environment.tracks.get(name)
            while turns:
                track = turns.pop()
                track.listed = False
                queue = track.queue
                if queue.running < queue.cap:
                    lane = self._next_lane(track, version, now)
                    if lane is not None:
                        if not queue.wake_at:
                            queue.tracks[lane.version].put_back(lane)
                            lane.listed = True
                        turns.put_back(track)
                        track.listed = True
                        return True
                self.tree.list_track(track)
        return False

    def _wake(self, now: int) -> None:
        for waiter in self.rates.due(now):
            if isinstance(waiter, Queue):
                self.tree.reopen_queue(waiter)
            elif isinstance(waiter, Key):
                self.tree.reopen_key(waiter)

    @staticmethod
    def _occupy(key: Key, count: int) -> None:
        key.running += count
        key.queue.running += count
        key.queue.env.running += count

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
