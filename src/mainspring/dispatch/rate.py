"""Rate limits of a shard: GCRA in integer nanoseconds. Knows no lanes, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

RateState = tuple[int, str, str, int]
"""(environment, queue, key or "", theoretical arrival time in epoch nanoseconds)."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Lets `limit` units through per `period_ms`, `burst` of them at once at most.

    In any window of W ms at most `burst + limit * W / period_ms` units pass. A run that costs
    more than the burst passes when the whole burst is free and pays its full cost.

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


class Rates:
    """The rate states of a shard; `core.rates`."""

    def settle(
        self, env: int, queue: str, key: str, reserved: int, actual: int, now: int
    ) -> None:
        """Correct what a run paid at its claim: `actual - reserved` units are spent or returned."""
        raise NotImplementedError

    def changed(self) -> list[RateState]:
        """Return the states changed since last asked, sorted; write them in the claim's commit."""
        raise NotImplementedError

    def restore(self, states: Iterable[RateState]) -> None:
        """Put persisted states back (takeover). A state never moves backwards by this."""
        raise NotImplementedError

    def next_wake(self) -> int | None:
        """Return the epoch ms at which the earliest held lane may go; None if none is held."""
        raise NotImplementedError
