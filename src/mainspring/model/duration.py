"""Durations as people write them, turned into whole milliseconds. No dates."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from mainspring.errors import InvalidOptions

Duration = float | int | str | timedelta

_UNITS: Final = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "min": 60_000,
    "h": 3_600_000,
    "hr": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|hr|h|d|w)", re.ASCII)
_WHOLE: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|min|m|hr|h|d|w))+", re.ASCII)
MAX_MS: Final = 100 * 366 * 86_400_000


def milliseconds(value: Duration, name: str = "duration") -> int:
    """A duration in ms. Numbers are seconds; text is parts such as `"1h30m"`, `"250ms"`, `"7d"`.

    Raises: InvalidOptions naming `name`, for negative values, other text and over 100 years.
    """
    if isinstance(value, timedelta):
        ms = round(value.total_seconds() * 1000)
    elif isinstance(value, str):
        text = value.strip().replace(" ", "")
        if not _WHOLE.fullmatch(text):
            raise InvalidOptions(
                f"{name}: {value!r} is not a duration; write numbers with their units, "
                'such as "10m", "1h30m", "7d".'
            )
        exact = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        ms = round(min(exact, MAX_MS + 1.0))
    elif isinstance(value, bool) or value != value or value in (float("inf"), float("-inf")):
        raise InvalidOptions(f"{name}: {value!r} is not a duration in seconds.")
    else:
        ms = round(min(value, MAX_MS) * 1000)
    if not 0 <= ms <= MAX_MS:
        raise InvalidOptions(f"{name}: {value!r} is outside 0 to 100 years.")
    return ms


def spell(ms: int) -> str:
    """The shortest text of a duration that `milliseconds` reads back: 5_400_000 → `"1h30m"`."""
    if ms == 0:
        return "0s"
    parts = []
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count, ms = divmod(ms, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
