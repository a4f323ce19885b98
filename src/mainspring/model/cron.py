"""Walking through the moments that a cron expression of five fields names. No clock.

Two kinds, as cron of Debian has them. Where minute and hour are both fixed, an expression names
times of day: each comes once a day, what is left out when clocks go forward comes at once, and what
comes twice counts the first time. Where one of them begins with `*` it follows real time, and every
minute counts whose wall clock fits.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

YEARS: Final = 50
"""Without a day in so many years, none ever comes."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = date(1970, 1, 1).toordinal()
_DAY: Final = 86_400
_SECOND: Final = timedelta(seconds=1)
_LAST_YEAR: Final = 9000


class Cron:
    """An expression that was read. Times are whole seconds since 1970, UTC.

    Raises: CronSimError or ValueError for what cannot be read.
    """

    def __init__(self, text: str) -> None:
        read = CronSim(text, _EPOCH)
        self._read = read
        self._times = [
            hour * 3600 + minute * 60
            for hour in sorted(read.hours)
            for minute in sorted(read.minutes)
        ]
        minute, hour, *_ = text.split()
        self._is_fixed = not (minute.startswith("*") or hour.startswith("*"))

    def after(self, second: int, zone: ZoneInfo) -> Iterator[int]:
        """The moments later than this one, in order; it ends when no more come for `YEARS`."""
        return self._fixed(second, zone) if self._is_fixed else self._real(second + 1, zone)

    def _fixed(self, second: int, zone: ZoneInfo) -> Iterator[int]:
        """Times of day; those that a gap puts on one moment are one."""
        last, begin = second, second + _offset(second, zone)
        for day in self._days(begin // _DAY):
            for time in self._times:
                if day * _DAY + time > begin and (at := _first(day * _DAY + time, zone)) > last:
                    yield at
                    last = at

    def _real(self, begin: int, zone: ZoneInfo) -> Iterator[int]:
        """Minutes of real time from `begin` on, one stretch without a change of clocks at a time.

        It looks for days from the one before on, because clocks may go back over midnight.
        """
        while True:
            local = (begin + _offset(begin, zone)) // _DAY
            day = next(self._days(local - 1), None)
            if day is None:
                return
            begin = max(begin, (day - 2) * _DAY)
            end, offset = _stretch(begin, zone)
            yield from self._between(begin, end, offset)
            begin = end

    def _between(self, begin: int, end: int, offset: int) -> Iterator[int]:
        low, high = begin + offset, end + offset
        for day in range(low // _DAY, (high - 1) // _DAY + 1):
            if not self._fits(day):
                continue
            start = day * _DAY
            for time in self._times[bisect_left(self._times, low - start) :]:
                if start + time >= high:
                    break
                yield start + time - offset

    def _days(self, first: int) -> Iterator[int]:
        """The days that fit, from the day `first` since 1970 on."""
        begin = date.fromordinal(_FIRST + first)
        year, month, quiet = begin.year, begin.month, 0
        while quiet <= YEARS * 12 and year < _LAST_YEAR:
            quiet += 1
            if month in self._read.months:
                start = date(year, month, 1).toordinal() - _FIRST
                for day in range(start, start + calendar.monthrange(year, month)[1]):
                    if day >= first and self._fits(day):
                        yield day
                        quiet = 0
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)

    def _fits(self, day: int) -> bool:
        found = date.fromordinal(_FIRST + day)
        return found.month in self._read.months and self._read.match_day(found)


def _offset(second: int, zone: ZoneInfo) -> int:
    """What the clocks of the zone are ahead of UTC at that moment."""
    ahead = datetime.fromtimestamp(second, zone).utcoffset()
    return 0 if ahead is None else ahead // _SECOND


def _first(local: int, zone: ZoneInfo) -> int:
    """The first moment at which clocks show that time or, if it is left out, the minute after."""
    wall = datetime.fromtimestamp(local, UTC).replace(tzinfo=zone)
    at = round(wall.timestamp())
    if at + _offset(at, zone) == local:
        return at
    change = _change(at - _DAY - 1, at, zone)
    return change + (local - change - _offset(change, zone)) % 60


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """The moment between these two, later than `low`, at which clocks change."""
    before = _offset(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=4096)
def _stretch(begin: int, zone: ZoneInfo) -> tuple[int, int]:
    """Until when, a day at most, clocks do not change from `begin` on; and their offset."""
    offset, end = _offset(begin, zone), (begin // _DAY + 1) * _DAY
    return (end if _offset(end, zone) == offset else _change(begin, end, zone)), offset
