"""What was measured, logged and failed, as JSON for those who hold a key. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET, Raw, Struct, UnsetType, field

from mainspring.errors import CallerError
from mainspring.model.limits import LONGEST_MS
from mainspring.wire import pages
from mainspring.wire.measuring import (
    CountLines,
    LabeledPoints,
    LineBucket,
    LineCounts,
    MetricSeries,
    ReadMetric,
)
from mainspring.wire.moments import iso
from mainspring.wire.observing import ErrorGroup, FindLines, FoundLines, ListErrors

DAY_MS: Final = 86_400_000


class Stretch(Struct):
    """From when to when, epoch ms: the last day if it is not said."""

    from_: int | UnsetType = field(default=UNSET, name="from")
    to: int | UnsetType = UNSET


class SeriesQuery(Stretch):
    """`by`: labels with commas between; `where`: `label:value`, with commas between."""

    step: int = 60_000
    by: str = ""
    where: str = ""


class LinesQuery(Stretch):
    """`text` is in the message or the data; `level` is the least one."""

    text: str = ""
    level: str = "debug"
    task: str | UnsetType = UNSET
    after: str | UnsetType = UNSET
    limit: int = 100


class CountsQuery(Stretch):
    """As of the lines; `buckets` is how many there are at most."""

    text: str = ""
    level: str = "debug"
    task: str | UnsetType = UNSET
    buckets: int = 60


class RunLinesQuery(Struct):
    """Lines after the number `after`."""

    after: int = 0
    limit: int = 1_000


class ErrorsQuery(Struct):
    """`status`: new, regressed, resolved, muted, with commas between."""

    status: str = ""
    task: str | UnsetType = UNSET
    after: str | UnsetType = UNSET
    limit: int = 25


class ShownSeries(Struct, rename="camel"):
    """A metric over time; times are epoch ms."""

    name: str
    kind: str
    unit: str
    from_: int = field(name="from")
    to: int = field(name="to")
    step_ms: int = field(name="stepMs")
    series: list[LabeledPoints]
    truncated: bool


class ShownLine(Struct, rename="camel"):
    """A line of a run; `data` is a JSON value."""

    run_id: str
    seq: int
    at: str
    level: str
    message: str
    task: str | UnsetType = UNSET
    data: Any = UNSET


class ShownLines(Struct, rename="camel"):
    """`searchedTo` is how far back this page has looked."""

    data: list[ShownLine]
    pagination: pages.Pagination
    searched_to: str | UnsetType = UNSET


class ShownCounts(Struct, rename="camel"):
    """Lines by level over time; times are epoch ms."""

    from_: int = field(name="from")
    to: int = field(name="to")
    step_ms: int = field(name="stepMs")
    buckets: list[LineBucket]
    searched_to: int | UnsetType = field(default=UNSET, name="searchedTo")


class ShownError(Struct, rename="camel"):
    """Failed runs that are alike."""

    id: str
    task: str
    name: str
    message: str
    status: str
    count: int
    first_at: str
    last_at: str
    first_run: str
    last_run: str
    place: str
    first_version: str
    last_version: str
    marked_at: str | UnsetType = UNSET


class ShownErrors(Struct):
    data: list[ShownError]
    pagination: pages.Pagination


def series_wanted(name: str, query: Mapping[str, str], now: int) -> ReadMetric:
    """Raises: CallerError."""
    since, until = _stretch(query, now)
    by = tuple(one for one in query.get("by", "").split(",") if one)
    where: dict[str, str] = {}
    for part in filter(None, query.get("where", "").split(",")):
        label, sign, value = part.partition(":")
        if not sign:
            raise CallerError(f"where: {part[:60]!r} is no label:value.")
        where[label] = value
    step = pages.whole(query, "step", 1, LONGEST_MS, 60_000)
    return ReadMetric(name, since, until, step, by, where)


def series(found: MetricSeries) -> ShownSeries:
    """A metric over time."""
    return ShownSeries(
        found.name,
        found.kind,
        found.unit,
        found.since,
        found.until,
        found.step_ms,
        found.series,
        found.truncated,
    )


def lines_wanted(query: Mapping[str, str], now: int) -> FindLines:
    """Raises: CallerError."""
    since, until = _stretch(query, now)
    return FindLines(
        query.get("text", ""),
        query.get("level", "debug"),
        query.get("task"),
        since,
        until,
        query.get("after"),
        pages.whole(query, "limit", 1, 500, 100),
    )


def lines(found: FoundLines) -> ShownLines:
    """A page of lines."""
    shown = [
        ShownLine(
            one.run_id, one.seq, iso(one.at), one.level, one.message, one.task, data(one.data)
        )
        for one in found.lines
    ]
    next_ = UNSET if found.next is None else found.next
    to = UNSET if found.searched_to is None else iso(found.searched_to)
    return ShownLines(shown, pages.Pagination(next_), to)


def counts_wanted(query: Mapping[str, str], now: int) -> CountLines:
    """Raises: CallerError."""
    since, until = _stretch(query, now)
    return CountLines(
        since,
        until,
        query.get("text", ""),
        query.get("level", "debug"),
        query.get("task"),
        pages.whole(query, "buckets", 1, 500, 60),
    )


def counts(found: LineCounts) -> ShownCounts:
    """Lines over time."""
    to = UNSET if found.searched_to is None else found.searched_to
    return ShownCounts(found.since, found.until, found.step_ms, found.buckets, to)


def errors_wanted(query: Mapping[str, str]) -> ListErrors:
    """Raises: CallerError."""
    status = tuple(one for one in query.get("status", "").split(",") if one)
    limit = pages.whole(query, "limit", 1, 100, 25)
    return ListErrors(status, query.get("task"), query.get("after"), limit)


def error(found: ErrorGroup) -> ShownError:
    """One group."""
    return ShownError(
        found.id,
        found.task,
        found.name,
        found.message,
        found.status,
        found.count,
        iso(found.first_at),
        iso(found.last_at),
        found.first_run,
        found.last_run,
        found.place,
        found.first_version,
        found.last_version,
        UNSET if found.marked_at is None else iso(found.marked_at),
    )


def data(text: str | None) -> Any:
    """JSON text as a value of an answer."""
    return UNSET if text is None else Raw(text.encode())


def _stretch(query: Mapping[str, str], now: int) -> tuple[int, int | None]:
    until = pages.whole(query, "to", 0, LONGEST_MS, -1)
    end = now if until < 0 else until
    since = pages.whole(query, "from", 0, LONGEST_MS, max(end - DAY_MS, 0))
    return since, None if until < 0 else until
