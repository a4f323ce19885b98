"""The next timers of a shard, in memory up to a horizon. Reads no clock and no database."""

from __future__ import annotations

from collections.abc import Iterable

Timer = tuple[int, str, str, str]
"""(fire at, epoch ms; kind; run id; ref): the whole tuple is the timer's identity."""


class Timers:
    """Timers before the horizon, earliest first; later ones stay in the database.

    Attributes:
        horizon: epoch ms; every timer with `fire_at < horizon` is in memory.
    """

    horizon: int

    def __init__(self, horizon: int = 0) -> None:
        """Start empty with a horizon; call `begin_load` to move it."""

    def add(self, timer: Timer) -> bool:
        """Take a timer into memory; False if it lies behind the horizon. Twice is once."""
        raise NotImplementedError

    def cancel(self, timer: Timer) -> bool:
        """Forget a timer; False if it was not in memory."""
        raise NotImplementedError

    def due(self, now: int, limit: int) -> list[Timer]:
        """Take out at most `limit` timers with `fire_at <= now`, earliest first."""
        raise NotImplementedError

    def next_at(self) -> int | None:
        """Return when the earliest timer in memory fires; None if there is none."""
        raise NotImplementedError

    def begin_load(self, until: int) -> tuple[int, int]:
        """Move the horizon to `until`; returns [from, until) of `fire_at` to read from the database.

        From here on earlier arrivals are taken into memory and cancels are remembered, so that a
        read that is under way loses nothing and revives nothing.
        """
        raise NotImplementedError

    def loaded(self, timers: Iterable[Timer]) -> None:
        """Take in what the read begun with `begin_load` found."""
        raise NotImplementedError
