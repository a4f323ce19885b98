"""Schedules as people keep them: made, changed, switched, listed, run now. `ticks` fires them."""

from __future__ import annotations

import asyncio
import itertools
from asyncio import Future
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Struct

from mainspring.engine import ticks
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.intake import unknown
from mainspring.engine.owner import Owner
from mainspring.engine.state import State
from mainspring.engine.trigger import TriggerCall
from mainspring.errors import CallerError, Conflict, InvalidOptions, NotFound
from mainspring.ids import shard_of
from mainspring.model import limits, schedule
from mainspring.model.run import TriggerAnswer
from mainspring.store.operating import DECLARED, ScheduleRow
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.operating import (
    ListSchedules,
    NextTicks,
    Schedule,
    SchedulePage,
    SetSchedule,
    Ticks,
)

PAGE_LIMIT = 100
MOST_TICKS = 100
OWN_KEY = "!"
"""Begins the deduplication key of a schedule that was given none; no caller can send one."""

Change = Callable[[ScheduleRow | None, int], ScheduleRow | None]
"""From a schedule as it stands (None: there is none) and the time to what it becomes.

Raises: CallerError, which its caller is given.
"""


class ScheduleCall(Struct):
    """A schedule is made, changed or dropped, as `change` says of the row at that moment."""

    schedule_id: str
    change: Change
    future: Future[ScheduleRow | None]

    def want(self, wanted: Wanted) -> None:
        wanted.schedules.add(self.schedule_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the row; False = another turn, because this one has changed it already."""
        if self.schedule_id in batch.touched:
            return False
        old = facts.schedules.get(self.schedule_id)
        try:
            row = self.change(old, batch.now)
        except CallerError as error:
            batch.answer(self.future, error)
            return True
        batch.touched.add(self.schedule_id)
        if old is not None:
            state.timers.cancel(ticks.timer(old))
        if row is None:
            batch.changes.drop_schedule.append((self.schedule_id,))
        else:
            batch.changes.schedule.append(msgspec.structs.astuple(row))
            if row.active:
                state.timers.add(ticks.timer(row))
        batch.answer(self.future, row)
        return True


async def set_schedule(owner: Owner, env: EnvironmentRow, wanted: SetSchedule) -> Schedule:
    """Make a schedule or change the one that is meant.

    Raises: NotFound for an id, UnknownTask, InvalidOptions for what cannot be read, Conflict for
    one that code declares.
    """
    wanted = msgspec.structs.replace(wanted, cron=" ".join(wanted.cron.split()))
    schedule.check(wanted.cron, wanted.timezone, wanted.window, wanted.catch_up)
    for text, name in ((wanted.dedup_key, "deduplicationKey"), (wanted.external_id, "externalId")):
        if text is not None:
            limits.check_text(text, name, limits.NAME_LENGTH * 4)
    if (wanted.dedup_key or "").startswith(OWN_KEY):
        raise InvalidOptions(f"deduplicationKey must not begin with {OWN_KEY!r}.")
    if (env.env_id, wanted.task) not in owner.state.tasks:
        raise unknown(owner.state, env.env_id, wanted.task)
    async with owner.state.scheduling:  # so that a key is given to one schedule
        old = await _meant(owner, env, wanted)
        now, state = owner.state.clock.now(), owner.state
        id_ = old.schedule_id if old is not None else state.ids.new("sched", now, state.shard_id)
        row = await write(owner, id_, partial(_set, id_, env.env_id, wanted))
    assert row is not None
    return shown(row)


async def get(owner: Owner, env: EnvironmentRow, id_: str) -> Schedule:
    """One schedule. Raises: NotFound, also for one of another environment."""
    return shown(await _one(owner, env, id_))


async def perhaps(owner: Owner, env: EnvironmentRow, id_: str | None) -> Schedule | None:
    """One schedule, or None when there is none any more."""
    try:
        return None if id_ is None else await get(owner, env, id_)
    except NotFound:
        return None


async def switch(owner: Owner, env: EnvironmentRow, id_: str, active: bool) -> Schedule:
    """Activate, from the next tick from now on, or deactivate.

    Raises: as `get`; InvalidOptions when no tick is left; Conflict when its code is gone.
    """
    await _one(owner, env, id_)
    row = await write(owner, id_, partial(_switch, active))
    assert row is not None
    return shown(row)


async def delete(owner: Owner, env: EnvironmentRow, id_: str) -> Schedule:
    """Forget a schedule; its runs stay. Raises: as `get`; Conflict for one that code declares."""
    row = await _one(owner, env, id_)
    _refuse_declared(row)
    await write(owner, id_, _drop)
    return shown(row)


async def run_now(owner: Owner, env: EnvironmentRow, id_: str) -> TriggerAnswer:
    """A run as of a tick that is now, whether the schedule is active or not; its ticks stay.

    Raises: as `get`; UnknownTask.
    """
    row, state = await _one(owner, env, id_), owner.state
    if (env.env_id, row.task) not in state.tasks:
        raise unknown(state, env.env_id, row.task)
    now = state.clock.now()
    item = ticks.prepared(state, row, now, now, row.last_at)
    future: Future[list[TriggerAnswer]] = asyncio.get_running_loop().create_future()
    owner.submit(TriggerCall(env.env_id, [item], future))
    return (await future)[0]


async def next_ticks(owner: Owner, env: EnvironmentRow, wanted: NextTicks) -> Ticks:
    """The ticks to come, of a schedule or of an expression that nobody has made one of yet.

    Raises: as `get`; InvalidOptions.
    """
    limits.check_number(wanted.count, "count", 1, MOST_TICKS)
    cron, timezone, after = wanted.cron, wanted.timezone, owner.state.clock.now()
    if wanted.id is not None:
        row = await _one(owner, env, wanted.id)
        if not row.active:
            return Ticks([])
        cron, timezone, after = row.cron, row.timezone, row.next_at - 1
    else:
        schedule.check(cron, timezone)
    return Ticks(list(schedule.ticks(cron, timezone, after, wanted.count)))


async def page(owner: Owner, env: EnvironmentRow, wanted: ListSchedules) -> SchedulePage:
    """Schedules of the environment, newest first. Raises: InvalidOptions."""
    limits.check_number(wanted.skip, "skip", 0, 1 << 40)
    limits.check_number(wanted.ticks, "ticks", 0, MOST_TICKS)
    limits.check_number(wanted.ahead_ms, "ahead_ms", 0, limits.LONGEST_MS)
    shard_id, store = owner.state.shard_id, owner.store.operations
    limit = max(1, min(wanted.limit, PAGE_LIMIT))
    rows = await store.schedules(shard_id, env.env_id, wanted.skip, limit)
    count = await store.schedule_count(shard_id, env.env_id)
    until = owner.state.clock.now() + wanted.ahead_ms
    found = [shown(row) for row in rows]
    for row, one in zip(rows, found, strict=True):
        one.ticks = _ticks(row, wanted.ticks, until)
    return SchedulePage(found, count)


def _ticks(row: ScheduleRow, count: int, until: int) -> list[int]:
    """The first ticks to come, none after `until`; a rare one after it costs no search."""
    if not row.active or not count or row.next_at > until:
        return []
    ahead = schedule.ticks(row.cron, row.timezone, row.next_at - 1, count)
    return list(itertools.takewhile(lambda at: at <= until, ahead))


def shown(row: ScheduleRow) -> Schedule:
    """A schedule as its reader sees it."""
    return Schedule(
        row.schedule_id,
        row.kind,
        row.task,
        row.cron,
        row.timezone,
        bool(row.active),
        schedule.describe(row.cron),
        None if row.dedup_key.startswith(OWN_KEY) else row.dedup_key,
        row.external_id,
        row.spread,
        row.next_at if row.active else None,
        row.fire_at if row.active else None,
        row.catch_up,
        row.last_at,
    )


def ruled(row: ScheduleRow, now: int) -> ScheduleRow:
    """The schedule with the first tick of its rule from now on.

    No tick comes twice, though the clock may have gone back. Raises: InvalidOptions.
    """
    first = ticks.timing(row).begin(max(now, row.last_at or 0))
    if first.next_at is None:
        raise InvalidOptions(f"cron {row.cron[:60]!r} has no tick left; give it a later date.")
    row.next_at, row.fire_at, row.active = first.next_at, first.fire_at, 1
    return row


async def write(owner: Owner, id_: str, change: Change) -> ScheduleRow | None:
    """Change a schedule by what its row is at that moment; it is durable on return."""
    future: Future[ScheduleRow | None] = asyncio.get_running_loop().create_future()
    owner.submit(ScheduleCall(id_, change, future))
    return await future


def _set(
    id_: str, env_id: int, wanted: SetSchedule, old: ScheduleRow | None, now: int
) -> ScheduleRow:
    if old is None and wanted.id is not None:
        raise NotFound(f"No schedule {id_!r} in this environment.")
    row = ScheduleRow(
        id_,
        env_id,
        "imperative",
        wanted.task,
        wanted.cron,
        wanted.timezone,
        wanted.window,
        wanted.dedup_key or f"{OWN_KEY}{id_}",
        wanted.external_id,
        1,
        0,
        None,
        now,
        now,
        catch_up=wanted.catch_up,
    )
    if old is None:
        return ruled(row, now)
    _refuse_declared(old)
    row.created_at, row.last_at, row.dedup_key = old.created_at, old.last_at, old.dedup_key
    row.active, row.next_at, row.fire_at = old.active, old.next_at, old.fire_at
    if ticks.timing(row) == ticks.timing(old):
        return row  # a tick that is due but not fired yet must not be lost
    is_off = not old.active and old.next_at != old.last_at  # one that is over begins anew
    row = ruled(row, now)
    row.active = int(not is_off)
    return row


def _switch(active: bool, old: ScheduleRow | None, now: int) -> ScheduleRow:
    if old is None:
        raise NotFound("The schedule was deleted meanwhile.")
    if old.active == active:
        return old
    if old.gone and active:
        raise Conflict(
            f"Schedule {old.schedule_id} is declared by code that is not there any more; declare "
            f"it again, or make one with the same expression: {old.cron!r}."
        )
    row = msgspec.structs.replace(old, updated_at=now)
    if active:
        return ruled(row, now)
    row.active = 0
    return row


def _drop(old: ScheduleRow | None, now: int) -> None:
    """There is nothing to decide."""


def _refuse_declared(row: ScheduleRow) -> None:
    if row.dedup_key.startswith(DECLARED) and not row.gone:
        raise Conflict(
            f"Schedule {row.schedule_id} is declared in the code of task {row.task!r}; change it "
            "there, or deactivate it."
        )


async def _meant(owner: Owner, env: EnvironmentRow, wanted: SetSchedule) -> ScheduleRow | None:
    if wanted.id is not None:
        return await _one(owner, env, wanted.id)
    if wanted.dedup_key is None:
        return None
    return await owner.store.operations.schedule_of_key(
        owner.state.shard_id, env.env_id, wanted.dedup_key
    )


async def _one(owner: Owner, env: EnvironmentRow, id_: str) -> ScheduleRow:
    try:
        right = id_.startswith("sched_") and shard_of(id_) == owner.state.shard_id
    except ValueError:
        right = False
    row = await owner.store.operations.schedule(owner.state.shard_id, id_) if right else None
    if row is None or row.env_id != env.env_id:
        raise NotFound(f"No schedule {id_[:80]!r} in this environment.")
    return row
