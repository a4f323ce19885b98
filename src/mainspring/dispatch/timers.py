"""The next timers of a shard, in memory up to a horizon. Reads no clock and no database."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

Timer = tuple[int, str, str, str]
"""(fire at, epoch ms; kind; run id; ref): the whole tuple is the timer's identity."""

COMPACT_FROM = 64


class Timers:
    """Timers before the horizon, earliest first; later ones stay in the database.

    Attributes:
        horizon: epoch ms; every timer with `fire_at < horizon` is in memory.
    """

    def __init__(self, horizon: int = 0) -> None:
        """Start empty with a horizon; `begin_load` moves it."""
        self.horizon = horizon
        self._live: set[Timer] = set()
        self._heap: list[Timer] = []
        self._gone: set[Timer] | None = None

    def __len__(self) -> int:
        """Timers in memory, canceled ones not counted."""
        return len(self._live)

    def add(self, timer: Timer) -> bool:
        """Take a timer into memory; False if it lies behind the horizon. Twice is once."""
        if timer[0] >= self.horizon:
            return False
        if self._gone:
            self._gone.discard(timer)
        if timer not in self._live:
            self._live.add(timer)
            heappush(self._heap, timer)
        return True

    def cancel(self, timer: Timer) -> bool:
        """Forget a timer; False if it was not in memory."""
        if self._gone is not None:
            self._gone.add(timer)
        if timer not in self._live:
            return False
        self._live.remove(timer)
        if len(self._heap) > 2 * len(self._live) + COMPACT_FROM:
            self._heap = list(self._live)
            heapify(self._heap)
        return True

    def due(self, now: int, limit: int) -> list[Timer]:
        """Take out at most `limit` timers with `fire_at <= now`, earliest first."""
        heap, live = self._heap, self._live
        fired: list[Timer] = []
        while heap and heap[0][0] <= now and len(fired) < limit:
            timer = heappop(heap)
            if timer in live:
                live.remove(timer)
                fired.append(timer)
        if self._gone is not None:
            self._gone.update(fired)
        return fired

    def next_at(self) -> int | None:
        """Return when the earliest timer in memory fires; None if there is none."""
        heap = self._heap
        while heap and heap[0] not in self._live:
            heappop(heap)
        return heap[0][0] if heap else None

    def begin_load(self, until: int) -> tuple[int, int]:
        """Move the horizon to `until`; returns [from, to) of `fire_at` to read from the database.

        From here on earlier arrivals are taken into memory, and what is canceled or fires is
        remembered, so that a read that is under way loses nothing and revives nothing. A read that
        failed is read again; `loaded` ends it.
        """
        assert self._gone is None, "begin_load before the last read was answered with loaded"
        start, self.horizon = self.horizon, max(self.horizon, until)
        self._gone = set()
        return start, self.horizon

    def loaded(self, timers: Iterable[Timer]) -> None:
        """Take in what the read begun with `begin_load` found."""
        gone, self._gone = self._gone or set(), None
        for timer in timers:
            if timer not in gone:
                self.add(timer)
