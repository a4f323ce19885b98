"""Rate limits of a shard: GCRA in integer nanoseconds. Knows no lanes, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

NS_PER_MS = 1_000_000
PURGE_FROM = 1024

RateState = tuple[int, str, str, int]
"""(environment, queue, key or "", theoretical arrival time in epoch nanoseconds)."""

Bucket = tuple[int, str, str]
"""(environment, queue, key or ""): what has a state of its own."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Lets `limit` units through per `period_ms`, `burst` of them at once at most.

    In any window of W ms at most `burst + limit * W / period_ms` units pass. A run that costs
    more than the burst passes when the whole burst is free and pays its full cost. The clock has
    whole milliseconds, so a burst worth less than one (such as 1 at 1,000 per second) cannot use
    the rate up.

    Attributes:
        limit: units per period, at least 1.
        period_ms: length of the period, at least 1.
        burst: size of the bucket in units, at least 1.
        per_key: one bucket per concurrency key instead of one for the queue.
    """

    limit: int
    period_ms: int
    burst: int = 1
    per_key: bool = False

    def __post_init__(self) -> None:
        """Refuse what would never let anything through.

        Raises:
            ValueError: limit, period or burst below 1.
        """
        for name in ("limit", "period_ms", "burst"):
            if getattr(self, name) < 1:
                raise ValueError(f"rate limit: {name} must be at least 1, got {self!r}")

    @property
    def unit_ns(self) -> int:
        """Nanoseconds that one unit takes; rounded up, so that the limit is never exceeded."""
        return -(-self.period_ms * NS_PER_MS // self.limit)


class Waiter(Protocol):
    """What is held by a rate: a key, or a whole queue. `wake_at` is 0 while it is not held."""

    wake_at: int


class Rates:
    """The rate states of a shard, and who waits for them; `core.rates`."""

    def __init__(self) -> None:
        self._limits: dict[tuple[int, str], RateLimit] = {}
        self._tats: dict[Bucket, int] = {}
        self._changed: dict[Bucket, int] = {}
        self._held: dict[Bucket, Waiter] = {}
        self._wakes: list[tuple[int, int, Bucket, Waiter]] = []
        self._purge_at = PURGE_FROM
        self._entered = 0
        self._now = 0

    def settle(self, env: int, queue: str, key: str, reserved: int, actual: int, now: int) -> None:
        """Correct what a run paid at its claim: `actual - reserved` units are spent or returned.

        A queue without a rate limit ignores it.
        """
        rate = self._limits.get((env, queue))
        if rate is None or actual == reserved:
            return
        bucket = (env, queue, key if rate.per_key else "")
        if actual > reserved:
            self.spend(bucket, rate, actual - reserved, now)
        elif bucket in self._tats:  # else the bucket is full again already
            self._write(bucket, self._tats[bucket] - (reserved - actual) * rate.unit_ns, now)
            waiter = self._held.get(bucket)
            if waiter is not None:
                self.hold(bucket, waiter, now)

    def changed(self) -> list[RateState]:
        """Return the states changed since last asked, sorted; write them in the claim's commit."""
        states = [(*bucket, tat) for bucket, tat in sorted(self._changed.items())]
        self._changed.clear()
        return states

    def restore(self, states: Iterable[RateState]) -> None:
        """Put persisted states back (takeover). A state never moves backwards by this."""
        for env, queue, key, tat in states:
            bucket = (env, queue, key)
            self._tats[bucket] = max(tat, self._tats.get(bucket, 0))

    def next_wake(self) -> int | None:
        """Return the epoch ms at which the earliest held lane may go; None if none is held."""
        wakes = self._wakes
        while wakes and wakes[0][0] != wakes[0][3].wake_at:
            heappop(wakes)
        return wakes[0][0] if wakes else None

    def limit(self, env: int, queue: str, rate: RateLimit | None) -> None:
        """Set a queue's rate limit. What its buckets owe is kept in units, not in time."""
        old = self._limits.get((env, queue))
        if rate is None:
            self._limits.pop((env, queue), None)
            return
        self._limits[env, queue] = rate
        if old is None or old.unit_ns == rate.unit_ns:
            return
        now = self._now * NS_PER_MS
        for bucket, tat in self._tats.items():
            if bucket[:2] == (env, queue) and tat > now:
                owed = -(-(tat - now) * rate.unit_ns // old.unit_ns)
                self._tats[bucket] = self._changed[bucket] = now + owed

    def free_at(self, bucket: Bucket, rate: RateLimit, cost: int, now: int) -> int:
        """Return 0 if `cost` units may pass now, else the epoch ms from which they may."""
        tat = self._tats.get(bucket, 0)
        # Passes when tat + cost - burst <= now; a cost above the burst needs the full bucket.
        at = tat + (min(cost, rate.burst) - rate.burst) * rate.unit_ns
        return 0 if at <= now * NS_PER_MS else -(-at // NS_PER_MS)

    def spend(self, bucket: Bucket, rate: RateLimit, cost: int, now: int) -> None:
        """Take `cost` units out of a bucket; asks nobody."""
        tat = max(self._tats.get(bucket, 0), now * NS_PER_MS)
        self._write(bucket, tat + cost * rate.unit_ns, now)

    def hold(self, bucket: Bucket, waiter: Waiter, at: int) -> None:
        """Let a waiter sleep until epoch ms `at` (or until units come back)."""
        waiter.wake_at = at
        self._held[bucket] = waiter
        self._entered += 1
        heappush(self._wakes, (at, self._entered, bucket, waiter))

    def due(self, now: int) -> list[Waiter]:
        """Take out the waiters whose time has come, in order; they are not held any more."""
        self._now = max(self._now, now)
        wakes, awake = self._wakes, []
        while wakes and wakes[0][0] <= now:
            at, _, bucket, waiter = heappop(wakes)
            if at == waiter.wake_at:
                self.let_go(bucket, waiter)
                awake.append(waiter)
        return awake

    def let_go(self, bucket: Bucket, waiter: Waiter) -> None:
        """Forget that a waiter is held."""
        waiter.wake_at = 0
        if self._held.get(bucket) is waiter:
            del self._held[bucket]

    def _write(self, bucket: Bucket, tat: int, now: int) -> None:
        self._tats[bucket] = self._changed[bucket] = tat
        self._now = max(self._now, now)
        if len(self._tats) > self._purge_at:
            floor = now * NS_PER_MS
            self._tats = {b: tat for b, tat in self._tats.items() if tat > floor}
            self._purge_at = max(PURGE_FROM, 2 * len(self._tats))
