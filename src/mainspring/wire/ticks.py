"""The payload that a schedule triggers its task with. Nothing is decided."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class ScheduledPayload(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One tick of a schedule.

    Attributes:
        timestamp: the time it was meant for, UTC.
        fired_at: the time the run was made.
        last_timestamp: that of the tick before it that made a run, None for the first one.
        upcoming: those of the next ticks, at most five.
        timezone: that of the schedule's expression.
        type: IMPERATIVE, or DECLARATIVE when the code of the task declares the schedule.
    """

    type: str
    schedule_id: str
    timestamp: datetime
    fired_at: datetime
    last_timestamp: datetime | None = None
    timezone: str
    external_id: str | None = None
    upcoming: tuple[datetime, ...] = ()

    @property
    def local(self) -> datetime:
        """`timestamp` in the schedule's zone."""
        return self.timestamp.astimezone(ZoneInfo(self.timezone))


def local(at: int, timezone: str) -> datetime:
    """Epoch ms as a date of that zone."""
    return moment(at).astimezone(ZoneInfo(timezone))


_encode: Final = msgspec.json.Encoder().encode


def moment(at: int) -> datetime:
    """Epoch ms as a date, UTC."""
    return _EPOCH + at * _MS


def encoded(payload: ScheduledPayload) -> str:
    """The payload as JSON text."""
    return _encode(payload).decode()
