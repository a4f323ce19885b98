"""When a schedule fires: cron expressions, intervals, single dates, zones and windows. No clock.

Times are epoch ms. Daylight saving follows cron of Debian: what falls into the hour that is left
out comes when the clock goes on, and what falls into the hour that comes twice comes once. Beside
the five fields of cron an expression may be `@every 10m` (whole multiples of that time since 1970,
UTC) or `@at 2026-12-24T18:00` (once, in the schedule's zone).
"""

from __future__ import annotations

import difflib
import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from mainspring.errors import InvalidOptions
from mainspring.model import duration
from mainspring.model.cron import Cron

FIELDS: Final = {
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31, L (the last day) and LW (the last weekday)",
    "month": "1-12 and JAN-DEC",
    "day of week": "0-7 and SUN-SAT (0 and 7 are Sunday), MON#2 (the second) and 5L (the last)",
}
LONGEST_STEPS: Final = (60, 24, 31, 12, 7)
"""A longer step than a field has values would not go on where the field begins anew."""
LENGTH: Final = 200
SHORT: Final = 5
EVERY: Final = "@every "
AT: Final = "@at "
SHORTEST_MS: Final = 1_000
LONGEST_MS: Final = 366 * 86_400_000
CATCH_UP: Final = ("latest", "none", "all")
"""What becomes of ticks that nobody fired in time; the first is the default."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_WINDOW: Final = re.compile(r"([0-9]{1,4})([mh%])")
_LONGEST: Final = {"m": 24 * 60, "h": 24, "%": 100}
_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000}
_NO_ZONES: Final = frozenset({"localtime", "Factory", "posixrules"})
_NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_PARTS: Final = 1 << 32
_END: Final = int((datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) / _MS)


@cache
def zones() -> tuple[str, ...]:
    """The names of all time zones, UTC first."""
    return ("UTC", *sorted(available_timezones() - {"UTC", *_NO_ZONES}))


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    """Whether there is a zone of that name, without a look at all of them, which takes long."""
    if name in _NO_ZONES or name.startswith(("posix/", "right/")):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _meant(name: str) -> str:
    """What to write instead of a name that is no zone. Its city is enough to find it; zones with a
    number are not meant: in their names the sign is the other way round. Of what is short, such as
    PST, another abbreviation is not meant either.
    """
    known = [zone for zone in zones() if not re.search(r"\d", zone)]
    words = {zone.rpartition("/")[2].lower(): zone for zone in reversed(known)}
    words |= {zone.lower(): zone for zone in known}
    wanted = name.lower().replace(" ", "_")
    is_long = len(wanted) > SHORT and not re.search(r"[\d+]", wanted)
    near = difflib.get_close_matches(wanted, words, 1, 0.75 if is_long else 1.0)
    if near:
        return f"Did you mean {words[near[0]]!r}?"
    return 'Write an IANA name such as "Europe/Berlin"; abbreviations and offsets are none.'


def check(cron: str, timezone: str, window: str | None = None, catch_up: str = CATCH_UP[0]) -> None:
    """Refuse what never fires or cannot be read. Raises: InvalidOptions naming the field."""
    if not _is_zone(timezone):
        raise InvalidOptions(f"timezone {timezone[:60]!r} is not known. {_meant(timezone[:60])}")
    if cron.startswith(EVERY):
        _every(cron)
    elif cron.startswith(AT):
        _at(cron, timezone)
    else:
        _check_cron(cron)
    if window is not None:
        found = _WINDOW.fullmatch(window)
        if found is None or int(found[1]) > _LONGEST[found[2]]:
            raise InvalidOptions(
                f'window {window[:20]!r} is neither minutes or hours ("30m", "2h", at most 24 h) '
                'nor a share of the time to the next tick ("20%").'
            )
    if catch_up not in CATCH_UP:
        raise InvalidOptions(f"catchUp {catch_up[:20]!r}: {', '.join(CATCH_UP)} are allowed.")


def _check_cron(cron: str) -> None:
    parts = cron.split()
    shown = f"cron {cron[:60]!r}"
    if cron in _NICKNAMES:
        raise InvalidOptions(f"{shown}: nicknames are not read; write {_NICKNAMES[cron]!r}.")
    if len(cron) > LENGTH:
        raise InvalidOptions(f"{shown} has {len(cron):,} characters; at most {LENGTH} are allowed.")
    if len(parts) != len(FIELDS):
        raise InvalidOptions(
            f"{shown} does not have the five fields {', '.join(FIELDS)}, such as "
            '"0 9 * * MON-FRI". An interval is "@every 10m", a single date '
            '"@at 2026-12-24T18:00".'
        )
    try:
        if next(_read(cron).after(0, ZoneInfo("UTC")), None) is None:
            raise InvalidOptions(f"{shown} names no day that ever comes.")
        _check_steps(shown, parts)
    except (CronSimError, ValueError) as error:
        for place, (field, allowed) in enumerate(FIELDS.items()):
            alone = ["*"] * len(FIELDS)
            alone[place] = parts[place]
            if not _readable(" ".join(alone)):
                raise InvalidOptions(
                    f"{shown}: the {field} {parts[place][:40]!r} cannot be read; allowed are "
                    f'{allowed}, with "*", lists "1,2", ranges "1-5" and steps "*/5".'
                ) from error
        raise InvalidOptions(
            f"{shown} names no day that ever comes: no month {parts[3][:20]!r} has a day "
            f"{parts[2][:20]!r}."
        ) from error


def _check_steps(shown: str, parts: list[str]) -> None:
    for field, part, longest in zip(FIELDS, parts, LONGEST_STEPS, strict=True):
        for item in part.split(","):
            step = item.partition("/")[2]
            if step and int(step) > longest:
                raise InvalidOptions(
                    f"{shown}: the step of the {field} {item[:40]!r} is longer than {longest}, "
                    'after which it begins anew. An interval is "@every 90m".'
                )


@lru_cache(maxsize=1024)
def _read(cron: str) -> Cron:
    return Cron(cron)


def _readable(cron: str) -> bool:
    try:
        Cron(cron)
    except (CronSimError, ValueError):
        return False
    return True


def _every(cron: str) -> int:
    ms = duration.milliseconds(cron.removeprefix(EVERY), f"cron {cron[:60]!r}")
    if not SHORTEST_MS <= ms <= LONGEST_MS:
        raise InvalidOptions(f"cron {cron[:60]!r}: 1 second to 366 days are allowed.")
    return ms


def _at(cron: str, timezone: str) -> int:
    text = cron.removeprefix(AT).strip()
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(timezone))
        at = (found - _EPOCH) // _MS
    except (ValueError, OverflowError) as error:
        raise InvalidOptions(
            f"cron {cron[:60]!r} names no date ({error}); write one such as "
            '"@at 2026-12-24T18:00" or "@at 2026-12-24T17:00:00Z".'
        ) from error
    if not 0 <= at <= _END:
        raise InvalidOptions(f"cron {cron[:60]!r}: the years 1970 to 8999 are allowed.")
    return at


def next_tick(cron: str, timezone: str, after: int) -> int | None:
    """The first tick later than `after`, if any. The expression must have passed `check`."""
    found = ticks(cron, timezone, after, 1)
    return found[0] if found else None


@lru_cache(maxsize=4096)
def ticks(cron: str, timezone: str, after: int, count: int) -> tuple[int, ...]:
    """The first `count` ticks later than `after`. The expression must have passed `check`."""
    if cron.startswith(AT):
        at = _at(cron, timezone)
        return (at,) if at > after else ()
    if cron.startswith(EVERY):
        every = _every(cron)
        first = (after // every + 1) * every
        return tuple(range(first, first + count * every, every))
    if not 0 <= after < _END:
        return ()
    found = _read(cron).after(after // 1000, ZoneInfo(timezone))
    return tuple(at * 1000 for at in islice(found, count))


def newest(cron: str, timezone: str, first: int, now: int, count: int) -> list[int]:
    """The last `count` ticks from `first`, which is one, to `now`; the earliest of them first."""
    if cron.startswith(EVERY):
        every = _every(cron)
        low = max(first, (now // every - count + 1) * every)
        return list(range(low, now + 1, every))
    span = 60_000 * count
    while True:
        after = max(first - 1, now - span)
        found: list[int] = []
        while more := [at for at in ticks(cron, timezone, after, count) if at <= now]:
            found = (found + more)[-count:]
            after = more[-1]
        if len(found) == count or now - span <= first:
            return found
        span *= 4


def delayed(tick: int, following: int | None, window: str | None, key: str) -> int:
    """When a tick may start: spread over the window by a share that is always the same for `key`.

    `following` is the tick after it, of which a window in per cent is a share.
    """
    found = _WINDOW.fullmatch(window or "")
    if found is None or following is None:
        return tick
    number, unit = int(found[1]), found[2]
    whole = (following - tick) * number // 100 if unit == "%" else number * _UNIT_MS[unit]
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
    return tick + min(whole, following - tick) * share // _PARTS


def describe(cron: str) -> str:
    """The expression in words. It must have passed `check`."""
    if cron.startswith(EVERY):
        return f"Every {duration.spell(_every(cron))}"
    if cron.startswith(AT):
        return f"Once, at {cron.removeprefix(AT)}"
    return CronSim(cron, _EPOCH).explain()
