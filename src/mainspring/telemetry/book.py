"""The series of one place, added up by minute and hour and since the start. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from mainspring.telemetry.cell import Cell
from mainspring.telemetry.measures import BY_NAME, Kind, Labels

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
MINUTES_MS: Final = 2 * 24 * HOUR_MS
"""How long minutes are kept."""
MOST: Final = 2_000
"""Series of programs that an environment has, of our own besides, and of each open one of these;
what comes beyond is dropped and counted."""
WAITING: Final = 20_000
"""Closed minutes and hours that wait to be written; older ones are given up."""


class Key(NamedTuple):
    """What a series is known by."""

    env_id: int
    name: str
    kind: Kind
    labels: Labels


class Series:
    """One series. `open` is the minute that goes on; add to it and to nothing else.

    `closed` is what the hour has seen before this minute, `before` what there was before the hour,
    since `began_at`. `written` is how often something had been seen in this hour when it was
    written last.
    """

    __slots__ = ("before", "began_at", "closed", "key", "open", "written")

    def __init__(self, key: Key, began_at: int = 0) -> None:
        self.key = key
        self.began_at = began_at
        self.written = 0
        self.open = Cell()
        self.closed = Cell()
        self.before = Cell()

    @property
    def seen(self) -> int:
        """How often something was seen in this hour."""
        return self.closed.count + self.open.count

    @property
    def hour(self) -> Cell:
        """The hour that goes on, as it is now."""
        cell = Cell()
        cell.join(self.closed)
        cell.join(self.open)
        return cell

    @property
    def ever(self) -> Cell:
        """Everything since the start."""
        cell = Cell()
        cell.join(self.before)
        cell.join(self.hour)
        return cell


Row = tuple[Key, int, int, Cell]
"""(key, length of the stretch, its beginning, what it has seen)."""


class Book:
    """Series by key, as many as there may be. `turn` must be called before anything is added.

    Attributes:
        dropped: values for which there was no room.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._series: dict[Key, Series] = {}
        self._counts: dict[tuple[int, str], int] = {}
        self._minute = 0
        self._waiting: dict[tuple[Key, int, int], Cell] = {}
        self._given: list[tuple[Key, int, int]] = []
        self._told: list[tuple[Series, int]] = []

    def series(self, env_id: int, name: str, kind: Kind, labels: Labels = ()) -> Series | None:
        """The series to add to; None when the environment has as many as it may have."""
        key = Key(env_id, name, kind, labels)
        found = self._series.get(key)
        if found is None:
            kin = env_id, _room(name)
            count = self._counts.get(kin, 0)
            if count >= MOST:
                self.dropped += 1
                return None
            self._counts[kin] = count + 1
            found = self._series[key] = Series(key, self._minute)
        return found

    def turn(self, now: int) -> bool:
        """Close what is over by `now`, epoch ms. True when series were let go of: who has kept any
        must ask for them again.
        """
        minute = now - now % MINUTE_MS
        before, self._minute = self._minute, max(minute, self._minute)
        if minute <= before or not before:
            return False
        hour = before - before % HOUR_MS
        over = minute - minute % HOUR_MS > hour
        idle = []
        for key, series in self._series.items():
            if series.open.count:
                self._waiting[key, MINUTE_MS, before] = series.open
                series.closed.join(series.open)
                series.open = Cell()
            if over:
                if series.closed.count:
                    self._waiting[key, HOUR_MS, hour] = series.closed
                    series.before.join(series.closed)
                    series.closed = Cell()
                    series.written = 0
                else:
                    idle.append(key)
        for key in idle:
            del self._series[key]
            self._counts[key.env_id, _room(key.name)] -= 1
        for late in list(self._waiting)[: max(len(self._waiting) - WAITING, 0)]:
            del self._waiting[late]
            self.dropped += 1
        return bool(idle)

    def rows(self) -> list[Row]:
        """Everything that is not known to be written, with what goes on; whole, not the growth.
        `written` says that it is.
        """
        minute = self._minute
        hour = minute - minute % HOUR_MS
        self._given = list(self._waiting)
        self._told = [(one, one.seen) for one in self._series.values() if one.seen != one.written]
        found: list[Row] = [(*at, cell) for at, cell in self._waiting.items()]
        for series, _ in self._told:
            if series.open.count:
                found.append((series.key, MINUTE_MS, minute, series.open))
            found.append((series.key, HOUR_MS, hour, series.hour))
        return found

    def written(self) -> None:
        """What `rows` gave last is stored."""
        for at in self._given:
            self._waiting.pop(at, None)
        for series, seen in self._told:
            if series.seen >= seen:  # else another hour has begun
                series.written = seen

    def __iter__(self) -> Iterator[Series]:
        return iter(self._series.values())


def _room(name: str) -> str:
    """What has to share its number of series with the metric."""
    own = BY_NAME.get(name)
    if own is None:
        return ""
    return name if own.open else "own"
