"""Which ticks of a schedule are to be fired now, and when it fires next. No clock, no rows."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from mainspring.model import schedule

LATE_MS: Final = 60_000
"""A tick that is fired later than this was missed; until then it is only late."""
MOST: Final = 100
"""Missed ticks that are fired together at most: the last ones."""
RECENT: Final = 64
"""Ticks in `LATE_MS`, for the shortest interval."""


class Firing(Struct, frozen=True):
    """`ticks` are fired now, by their nominal times. The next is due at `fire_at`, if there is one.

    `next_at` is its nominal time.
    """

    ticks: tuple[int, ...]
    next_at: int | None
    fire_at: int


class Timing(Struct, frozen=True):
    """What the times of a schedule follow from; `key` gives it its place in the window."""

    cron: str
    timezone: str
    window: str | None
    catch_up: str
    key: str

    def begin(self, after: int) -> Firing:
        """The first tick later than `after`."""
        following = schedule.ticks(self.cron, self.timezone, after, 2)
        if not following:
            return Firing((), None, 0)
        return Firing((), following[0], self._start(*following))

    def fire(self, next_at: int, now: int) -> Firing:
        """What is due: the tick `next_at`, and those after it that may have come up since then."""
        following = schedule.ticks(self.cron, self.timezone, next_at, 2)
        if not following or self._start(*following) > now:
            due = [next_at]
        else:
            found = schedule.newest(self.cron, self.timezone, next_at, now, MOST + RECENT)
            due = [at for at in found if self._starts(at) <= now] or [next_at]
        late = [at for at in due if now - self._starts(at) > LATE_MS]
        in_time = due[len(late) :]
        if self.catch_up == "none" or (self.catch_up == "latest" and in_time):
            late = []
        elif self.catch_up == "latest":
            late = late[-1:]
        begin = self.begin(due[-1])
        return Firing((*late[-MOST:], *in_time), begin.next_at, begin.fire_at)

    def _starts(self, tick: int) -> int:
        if self.window is None:
            return tick
        return self._start(tick, *schedule.ticks(self.cron, self.timezone, tick, 1))

    def _start(self, tick: int, following: int | None = None) -> int:
        return schedule.delayed(tick, following, self.window, self.key)
