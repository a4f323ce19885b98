"""Time as a port: the wall clock in epoch ms and a monotonic clock in seconds. No sleeping here."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the engine reads time from; simulation and tests give their own."""

    def now(self) -> int:
        """Epoch milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        ...


class SystemClock:
    """The machine's clocks.

    `offset_ms` is added to the wall clock: on PostgreSQL the owner keeps it at the difference to
    the database's clock, which rules due times.
    """

    def __init__(self) -> None:
        self.offset_ms = 0

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms

    def monotonic(self) -> float:
        # CLOCK_BOOTTIME counts suspend, so that a lease does not outlive a laptop's sleep
        return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()


class ManualClock:
    """A clock that moves only when told. Both readings advance together."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, ms: int) -> None:
        """Move both clocks on by `ms` milliseconds."""
        self._now += ms
        self._monotonic += ms / 1000


_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
