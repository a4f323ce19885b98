"""Times and durations as the public JSON writes them. No clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mainspring.errors import InvalidOptions
from mainspring.model.duration import milliseconds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION: Final = re.compile(r"(?:\d{1,15}(?:w|d|hr|h|m|s))+", re.ASCII)
_DATE: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_YEAR_1973: Final = 100_000_000_000
_YEAR_9999: Final = 253_402_300_799_999


def iso(at: int) -> str:
    """Epoch ms as ISO-8601 text in UTC: `2026-11-21T04:00:00.000Z`. Never later than year 9999."""
    moment = _EPOCH + timedelta(milliseconds=min(at, _YEAR_9999))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_duration(value: Any) -> bool:
    """Whether it is written as a duration."""
    return isinstance(value, str) and len(value) <= 60 and _DURATION.fullmatch(value) is not None


def duration_ms(value: Any) -> int:
    """The ms of text such as `1h30m`, `10s`, `7d`.

    Raises: InvalidOptions without the name of the field, which the caller puts before it.
    """
    if not is_duration(value):
        raise InvalidOptions(f'{_show(value)} is no duration; write "30s", "10m", "1h30m" or "7d"')
    return milliseconds(value, "the value")


def moment_ms(value: Any) -> int:
    """The epoch ms of an ISO-8601 date (UTC when it names no zone) or of a number of epoch ms.

    Raises: InvalidOptions without the name of the field.
    """
    if isinstance(value, int) and not isinstance(value, bool) and _YEAR_1973 <= value <= _YEAR_9999:
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            moment = None
        if moment is not None and moment >= _EPOCH:
            return (moment - _EPOCH) // timedelta(milliseconds=1)
    raise InvalidOptions(
        f'{_show(value)} is no date; write one such as "2026-12-31T09:00:00Z" or epoch milliseconds'
    )


def _show(value: Any) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return repr(value[:60] if isinstance(value, str) else value)[:80]
