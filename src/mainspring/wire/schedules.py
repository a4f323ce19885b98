"""Schedules as the public JSON shows them and as its requests ask for them. Nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError
from mainspring.wire.moments import iso
from mainspring.wire.operating import NextTicks, Schedule, SetSchedule
from mainspring.wire.pages import OffsetPagination

_TYPES: Final = {"dev": "DEVELOPMENT", "stg": "STAGING", "prod": "PRODUCTION"}


class Generator(Struct):
    """What makes the ticks; `description` says it in words."""

    type: Literal["CRON"]
    expression: str
    description: str


class ScheduleEnvironment(Struct):
    id: str
    type: str


class ShownSchedule(Struct, rename="camel", kw_only=True):
    """A schedule. `nextRun` is left out while it is not active; `nextRunEffectiveAt` is the time at
    which its window lets that tick start. `lastRun` is the nominal time of the last tick that made
    a run.
    """

    id: str
    type: Literal["DECLARATIVE", "IMPERATIVE"]
    task: str
    active: bool
    deduplication_key: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    generator: Generator
    timezone: str
    window: str | UnsetType = UNSET
    catch_up: Literal["latest", "none", "all"]
    last_run: str | UnsetType = UNSET
    next_run: str | UnsetType = UNSET
    next_run_effective_at: str | UnsetType = UNSET
    environments: list[ScheduleEnvironment]


class NewSchedule(Struct, rename="camel", forbid_unknown_fields=True):
    """`cron` has five fields, or is `@every 10m` or `@at 2026-12-24T18:00`; `timezone` is an IANA
    name, UTC if left out; `catchUp` latest, none or all.
    """

    task: str
    cron: str
    deduplication_key: str | UnsetType = UNSET
    external_id: str | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET
    window: str | UnsetType | None = UNSET
    catch_up: str | UnsetType | None = UNSET


class ScheduleChange(Struct, rename="camel", forbid_unknown_fields=True):
    """What a schedule becomes; it keeps its deduplication key."""

    task: str
    cron: str
    external_id: str | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET
    window: str | UnsetType | None = UNSET
    catch_up: str | UnsetType | None = UNSET


class ScheduleList(Struct):
    """A page of schedules, newest first."""

    data: list[ShownSchedule]
    pagination: OffsetPagination


class TickQuery(Struct):
    """How many ticks to tell, five if left out, a hundred at most."""

    count: str | UnsetType = UNSET


class TickList(Struct):
    """Nominal times of the ticks to come; none while the schedule is not active."""

    data: list[str]


class Timezones(Struct):
    timezones: list[str]


def shown(found: Schedule, env_id: str, slug: str) -> ShownSchedule:
    """One schedule of an environment."""
    return ShownSchedule(
        id=found.id,
        type="DECLARATIVE" if found.kind == "declarative" else "IMPERATIVE",
        task=found.task,
        active=found.active,
        deduplication_key=found.dedup_key or UNSET,
        external_id=found.external_id or UNSET,
        generator=generator(found),
        timezone=found.timezone,
        window=found.window or UNSET,
        catch_up=found.catch_up,  # type: ignore[arg-type]  # checked when it was written
        last_run=UNSET if found.last_at is None else iso(found.last_at),
        next_run=UNSET if found.next_at is None else iso(found.next_at),
        next_run_effective_at=UNSET if found.starts_at is None else iso(found.starts_at),
        environments=[ScheduleEnvironment(env_id, environment_type(slug))],
    )


def generator(found: Schedule) -> Generator:
    """What makes a schedule's ticks."""
    return Generator("CRON", found.cron, found.description)


def environment_type(slug: str) -> str:
    """The word for an environment's kind."""
    return _TYPES.get(slug, "PREVIEW")


def made(body: Any) -> SetSchedule:
    """The request of a body that makes a schedule. Raises: CallerError."""
    given = _read(body, NewSchedule)
    return _request(given, None, _text(given.deduplication_key))


def changed(body: Any, schedule_id: str) -> SetSchedule:
    """The request of a body that changes one. Raises: CallerError."""
    return _request(_read(body, ScheduleChange), schedule_id, None)


def ticks_asked(query: Mapping[str, str], schedule_id: str) -> NextTicks:
    """The request for the ticks to come. Raises: CallerError."""
    text = query.get("count", "5")
    if not text.isdecimal() or not text.isascii() or len(text) > 4:
        raise CallerError(f"count {text[:20]!r} is no whole number; 1 to 100 are allowed.")
    return NextTicks(schedule_id, count=int(text))


def _request(
    given: NewSchedule | ScheduleChange, id_: str | None, dedup_key: str | None
) -> SetSchedule:
    return SetSchedule(
        given.task,
        given.cron,
        _or(given.timezone, "UTC"),
        id_,
        dedup_key,
        _text(given.external_id),
        _text(given.window),
        _or(given.catch_up, "latest"),
    )


def _text(given: str | UnsetType | None) -> str | None:
    """What was written; an empty text was, too, and is refused where its field is checked."""
    return None if given is UNSET else given


def _or(given: str | UnsetType | None, usual: str) -> str:
    return usual if given is UNSET or given is None else given


def _read(body: Any, into: type[Any]) -> Any:
    try:
        return msgspec.convert(body, into)
    except msgspec.ValidationError as error:
        raise CallerError(f"Body Error: {error}.") from error
