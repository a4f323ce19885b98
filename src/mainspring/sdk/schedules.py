"""Schedules of an environment, which trigger tasks by the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from mainspring.errors import InvalidOptions
from mainspring.model.run import TriggerAnswer
from mainspring.sdk.cron import CatchUp
from mainspring.sdk.handles import Handle, plain
from mainspring.sdk.transport import ask
from mainspring.wire.operating import (
    DeleteSchedule,
    GetSchedule,
    ListSchedules,
    NextTicks,
    RunSchedule,
    Schedule,
    SchedulePage,
    SetSchedule,
    SwitchSchedule,
    Ticks,
)
from mainspring.wire.ticks import moment


async def create(
    task: str,
    cron: str,
    *,
    timezone: str = "UTC",
    deduplication_key: str | None = None,
    external_id: str | None = None,
    window: str | None = None,
    catch_up: CatchUp = "latest",
) -> Schedule:
    """Trigger the task at the ticks of a cron expression, in the time of that zone.

    Args:
        deduplication_key: the schedule that was made with the same key is changed instead.
        external_id: a text of yours that the runs are given.
        window: spreads the ticks over that time, `"30m"` or `"20%"` of the distance of two.
        catch_up: what becomes of ticks that nobody could fire in time: `"latest"` makes one run for
            all of them, `"none"` no run, `"all"` one each, for the last hundred.

    `cron` may also be an interval, `"@every 10m"`, or a single date, `"@at 2026-12-24T18:00"`.

    Raises: InvalidOptions, UnknownTask.
    """
    request = SetSchedule(
        task,
        cron,
        timezone,
        dedup_key=deduplication_key,
        external_id=external_id,
        window=window,
        catch_up=catch_up,
    )
    return await ask(request, Schedule)


async def update(
    schedule_id: str,
    task: str,
    cron: str,
    *,
    timezone: str = "UTC",
    external_id: str | None = None,
    window: str | None = None,
    catch_up: CatchUp = "latest",
) -> Schedule:
    """Replace everything about a schedule but its key. Raises: NotFound, InvalidOptions."""
    request = SetSchedule(
        task,
        cron,
        timezone,
        id=schedule_id,
        external_id=external_id,
        window=window,
        catch_up=catch_up,
    )
    return await ask(request, Schedule)


async def retrieve(schedule_id: str) -> Schedule:
    """One schedule. Raises: NotFound."""
    return await ask(GetSchedule(schedule_id), Schedule)


async def activate(schedule_id: str) -> Schedule:
    """Let it tick again, from now on. Raises: NotFound."""
    return await ask(SwitchSchedule(schedule_id, active=True), Schedule)


async def deactivate(schedule_id: str) -> Schedule:
    """Let it tick no more until it is activated. Raises: NotFound."""
    return await ask(SwitchSchedule(schedule_id, active=False), Schedule)


async def delete(schedule_id: str) -> Schedule:
    """Remove it; it is answered as it was. Raises: NotFound."""
    return await ask(DeleteSchedule(schedule_id), Schedule)


async def run_now(schedule_id: str) -> Handle[Any]:
    """Make a run of its task now, as of a tick; its ticks stay. Raises: NotFound, UnknownTask."""
    answer = await ask(RunSchedule(schedule_id), TriggerAnswer)
    return Handle(answer.run_id, plain)


async def next_runs(
    schedule_id: str | None = None,
    *,
    cron: str | None = None,
    timezone: str = "UTC",
    count: int = 5,
) -> Sequence[datetime]:
    """The times of the next ticks, of a schedule or of an expression; at most a hundred.

    A schedule that is not active has none. Raises: NotFound, InvalidOptions.
    """
    if (schedule_id is None) == (cron is None):
        raise InvalidOptions("next_runs takes exactly one of a schedule's id and cron=…")
    found = await ask(NextTicks(schedule_id, cron or "", timezone, count), Ticks)
    return [moment(at) for at in found.at]


async def list(*, page_size: int = 100) -> AsyncIterator[Schedule]:
    """Walk through the schedules, newest first, asking for a page at a time."""
    skip = 0
    while True:
        page = await ask(ListSchedules(skip, page_size), SchedulePage)
        for schedule in page.schedules:
            yield schedule
        skip += len(page.schedules)
        if not page.schedules or skip >= page.count:
            return
