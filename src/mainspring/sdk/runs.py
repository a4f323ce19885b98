"""Reading and steering runs by their ids, whichever task they are of."""

from __future__ import annotations

import builtins
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

from mainspring.errors import InvalidOptions, InvalidPayload
from mainspring.model.duration import Duration, milliseconds
from mainspring.model.run import Run, RunFilter, RunPage, Status, TriggerAnswer
from mainspring.sdk import subscribe as subscribing
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.handles import Handle, plain, reschedule_request
from mainspring.sdk.options import Delay
from mainspring.sdk.transport import active, ask
from mainspring.wire.calls import (
    AddTags,
    AwaitRuns,
    CancelRun,
    ExplainRun,
    Explanation,
    ListLogs,
    ListRuns,
    LogEntry,
    LogPage,
    ReplayRun,
    Retrieve,
)

_SAME: Final = object()
_LOG_LINES: Final = 1000


async def retrieve(run_id: str) -> Run:
    """The run as it is now. Raises: NotFound."""
    return await ask(Retrieve(run_id), Run)


class Filters(TypedDict, total=False):
    """Which runs `list` walks through. Several values of one filter mean any of them.

    Attributes:
        created_from: an aware datetime, and the end `created_to`.
        period: only those created in the last so many seconds (or timedelta, or text).
    """

    status: Status | str | Sequence[Status | str]
    task: str | Sequence[str]
    tag: str | Sequence[str]
    queue: str | Sequence[str]
    version: str | Sequence[str]
    batch_id: str
    is_test: bool
    created_from: datetime
    created_to: datetime
    period: Duration


async def list(
    *, limit: int | None = None, page_size: int = 100, **filters: Unpack[Filters]
) -> AsyncIterator[Run]:
    """Walk through the runs that pass all filters, newest first, asking for a page at a time.

    Stops after `limit` runs, or at the oldest.

    Raises: InvalidOptions for an unknown filter or status, and for a time without a zone.
    """
    chosen = filter_of(filters)
    chosen.limit = page_size
    seen = 0
    while limit is None or seen < limit:
        if limit is not None:
            chosen.limit = min(page_size, limit - seen)
        found = await page(chosen)
        for run in found.runs:
            yield run
        seen += len(found.runs)
        if found.next is None:
            return
        chosen.after = found.next


async def page(filter: RunFilter) -> RunPage:
    """One page of runs, with cursors to the next and the previous one."""
    return await ask(ListRuns(filter), RunPage)


async def cancel(run_id: str) -> Run:
    """Ask for the run's end; harmless on a finished one. Raises: NotFound."""
    return await ask(CancelRun(run_id), Run)


async def replay(run_id: str, *, payload: Any = _SAME) -> Handle[Any]:
    """Make a new run with the same task, options and payload, or with another payload.

    Raises: NotFound, InvalidPayload.
    """
    text = None
    if payload is not _SAME:
        try:
            text = to_json(payload).decode()
        except BEYOND_JSON as error:
            raise InvalidPayload(f"The payload cannot be written as JSON: {why(error)}.") from error
    answer = await ask(ReplayRun(run_id, text), TriggerAnswer)
    return Handle(answer.run_id, plain, cached=answer.cached, transport=active.get())


async def reschedule(run_id: str, delay: Delay) -> Run:
    """Give a delayed run another time. Raises: Conflict when it is not delayed any more."""
    return await ask(reschedule_request(run_id, delay), Run)


async def add_tags(run_id: str, *tags: str) -> Run:
    """Add tags to a run; it has at most 10. Raises: InvalidOptions."""
    return await ask(AddTags(run_id, tags), Run)


async def poll(run_id: str, *, timeout: Duration | None = None) -> Run:
    """The run once it is final, however it ended. Raises: ResultTimeout."""
    return await handle(run_id).poll(timeout)


async def result(run_id: str, *, timeout: Duration | None = None) -> Any:
    """What the run returned, once it has ended. Raises: RunFailed, RunCanceled, ResultTimeout."""
    return await handle(run_id).result(timeout)


def subscribe(run_id: str) -> AsyncIterator[Run]:
    """The run as it is now, then after each change, until it has ended.

    Changes that follow each other closely come as one. A lost connection is made again for five
    minutes, and nothing is missed or told twice. Raises: NotFound.
    """
    return subscribing.runs(AwaitRuns(run_id))


def subscribe_tag(*tags: str, period: Duration = "1d") -> AsyncIterator[Run]:
    """Every run that has all the tags and was created since `period` ago, at first the newest
    1,000 as they are, then each after each change, and those that join; without end.

    Raises: InvalidOptions.
    """
    if not tags:
        raise InvalidOptions("subscribe_tag takes one tag or several.")
    return subscribing.runs(
        AwaitRuns(tags=tags, created_from=_now() - milliseconds(period, "period"))
    )


async def logs(run_id: str, *, after: int = 0, follow: bool = False) -> AsyncIterator[LogEntry]:
    """Walk through the lines of a run, from the one after `after`: those that it has written so
    far, or with `follow` also the ones to come, until it has ended. Raises: NotFound.
    """
    if follow:
        async for line in subscribing.logs(run_id, after):
            yield line
        return
    while True:
        found = await ask(ListLogs(run_id, after, _LOG_LINES), LogPage)
        for line in found.lines:
            yield line
        if len(found.lines) < _LOG_LINES:
            return
        after = found.lines[-1].seq


async def explain(run_id: str) -> Explanation:
    """Why the run is not running: which gate holds it, who holds the slots, its position."""
    return await ask(ExplainRun(run_id), Explanation)


def handle(run_id: str) -> Handle[Any]:
    """The handle of a run whose id was stored; `my_task.handle` gives one that knows the type."""
    return Handle(run_id, plain, transport=active.get())


def filter_of(filters: Filters) -> RunFilter:
    """The filter as it is sent. Raises: InvalidOptions."""
    unknown = filters.keys() - Filters.__annotations__.keys()
    if unknown:
        raise InvalidOptions(
            f"No filter is named {', '.join(sorted(unknown))}; there are "
            f"{', '.join(Filters.__annotations__)}."
        )
    since = _moment(filters.get("created_from"), "created_from")
    if "period" in filters:
        since = _now() - milliseconds(filters["period"], "period")
    return RunFilter(
        status=_statuses(filters.get("status", ())),
        task=_several(filters.get("task", ())),
        tag=_several(filters.get("tag", ())),
        queue=_several(filters.get("queue", ())),
        version=_several(filters.get("version", ())),
        batch_id=filters.get("batch_id"),
        is_test=filters.get("is_test"),
        created_from=since,
        created_to=_moment(filters.get("created_to"), "created_to"),
    )


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _statuses(value: Status | str | Sequence[Status | str]) -> tuple[Status, ...]:
    words: builtins.list[str] = [value] if isinstance(value, str) else [*value]
    try:
        return tuple(Status(word.lower()) for word in words)
    except ValueError as error:
        raise InvalidOptions(f"status: {error}; there are {', '.join(Status)}.") from error


def _moment(value: datetime | None, name: str) -> int | None:
    if value is None:
        return None
    if value.utcoffset() is None:
        raise InvalidOptions(f"{name}: {value} does not say of which zone it is; use an aware one.")
    return round(value.timestamp() * 1000)


def _now() -> int:
    return time.time_ns() // 1_000_000
