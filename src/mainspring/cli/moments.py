"""Moments as people type them, turned into epoch ms. Durations are `model.duration`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from mainspring.errors import InvalidOptions
from mainspring.model.duration import milliseconds

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def past(text: str, now: int, name: str) -> int:
    """`"2h"` is two hours before `now`; a date or date and time is itself. Epoch ms.

    Raises: InvalidOptions naming `name`.
    """
    return date(text, name) if _DATE.match(text) else now - milliseconds(_number(text), name)


def delay(text: str, name: str) -> tuple[int | None, int | None]:
    """(ms from now, None) for a duration, (None, epoch ms) for a date.

    Raises: InvalidOptions naming `name`.
    """
    if _DATE.match(text):
        return None, date(text, name)
    return milliseconds(_number(text), name), None


def duration(text: str | None, name: str) -> int | None:
    """A duration in ms: seconds, or text such as `"10m"`; None stays None.

    Raises: InvalidOptions naming `name`.
    """
    return None if text is None else milliseconds(_number(text), name)


def date(text: str, name: str) -> int:
    """A date, or date and time, of ISO 8601 as epoch ms; without a zone it is this machine's.

    Raises: InvalidOptions naming `name`.
    """
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidOptions(
            f"{name}: {text!r} is not a date; write 2026-05-01, 2026-05-01T09:00 or "
            "2026-05-01T09:00:00Z."
        ) from error


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
