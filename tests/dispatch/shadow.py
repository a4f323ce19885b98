"""A slow, obvious model of the scheduler: every run a row, every count recounted, no windows."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainspring.dispatch import EnvironmentLimits, KeyLimits, LaneKey, QueueLimits, RateLimit

Place = tuple[int, str]


@dataclass(frozen=True)
class Row:
    """A run that waits."""

    lane: LaneKey
    ord: int
    run_id: str
    resume: bool
    cost: int

    @property
    def place(self) -> Place:
        return (self.ord, self.run_id)


@dataclass
class Shadow:
    """What the database and the limits say."""

    ready: dict[str, Row] = field(default_factory=dict)
    active: dict[str, Row] = field(default_factory=dict)
    environments: dict[int, EnvironmentLimits] = field(default_factory=dict)
    queues: dict[tuple[int, str], QueueLimits] = field(default_factory=dict)
    keys: dict[tuple[int, str, str], KeyLimits] = field(default_factory=dict)
    tats: dict[tuple[int, str, str], int] = field(default_factory=dict)

    def rows(self, lane: LaneKey, resume: bool) -> list[Row]:
        mine = (row for row in self.ready.values() if row.lane == lane and row.resume == resume)
        return sorted(mine, key=lambda row: row.place)

    def running(self, *scope: object) -> int:
        """Slots held in an environment, a queue or a key: the lane key begins with the scope."""
        return sum(row.lane[: len(scope)] == scope for row in self.active.values())

    def closed(self, lane: LaneKey) -> str | None:
        """Name the pause or limit that keeps the lane from one more slot."""
        env, queue, key, _ = lane
        base = self.environments.get(env, EnvironmentLimits())
        mine = self.queues.get((env, queue), QueueLimits())
        own = self.keys.get((env, queue, key), KeyLimits())
        for paused in (base, mine, own):
            if paused.paused:
                return "paused"
        limit = mine.limit if own.limit is None else own.limit
        if limit is not None and self.running(env, queue, key) >= limit:
            return "key limit"
        if mine.total is not None and self.running(env, queue) >= mine.total:
            return "queue total"
        if base.limit is not None and self.running(env, queue) >= base.limit:
            return "environment limit of one queue"
        if base.limit is not None and self.running(env) >= int(base.limit * base.burst + 1e-9):
            return "environment burst"
        return None

    def rate(self, lane: LaneKey) -> tuple[RateLimit, tuple[int, str, str]] | None:
        rate = self.queues.get(lane[:2], QueueLimits()).rate
        return None if rate is None else (rate, (*lane[:2], lane[2] if rate.per_key else ""))

    def passes(self, lane: LaneKey, cost: int, now: int) -> bool:
        """Tell whether the lane's bucket holds `cost` units (or is full, if that is less)."""
        limited = self.rate(lane)
        if limited is None:
            return True
        rate, bucket = limited
        owed = max(self.tats.get(bucket, 0) - now * 1_000_000, 0)
        return owed + min(cost, rate.burst) * rate.unit_ns <= rate.burst * rate.unit_ns

    def pay(self, lane: LaneKey, units: int, now: int) -> None:
        """Take units out of the lane's bucket, or with a negative number give them back."""
        limited = self.rate(lane)
        if limited is None:
            return
        rate, bucket = limited
        floor = now * 1_000_000
        tat = self.tats.get(bucket, 0)
        if units > 0:
            tat = max(tat, floor)
        self.tats[bucket] = tat + units * rate.unit_ns

    def change_rate(
        self, env: int, queue: str, old: RateLimit | None, new: RateLimit | None, now: int
    ) -> None:
        """Keep what buckets owe in units."""
        if old is None or new is None:
            return
        floor = now * 1_000_000
        for bucket, tat in self.tats.items():
            if bucket[:2] == (env, queue) and tat > floor:
                self.tats[bucket] = floor - (-(tat - floor) * new.unit_ns // old.unit_ns)
