"""Schedules that the code of tasks declares: kept as the current version of the code says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

import msgspec

from mainspring.engine import deployments, ticks
from mainspring.engine.owner import Owner
from mainspring.engine.schedules import ruled, write
from mainspring.engine.state import State
from mainspring.errors import InvalidOptions, NotFound
from mainspring.model import schedule
from mainspring.model.task import ScheduleSpec, TaskSpec
from mainspring.store.operating import DECLARED, ScheduleRow
from mainspring.store.protocol import EnvironmentRow

log = logging.getLogger("mainspring.engine")


async def sync(owner: Owner, env: EnvironmentRow, version: str, tasks: Sequence[TaskSpec]) -> None:
    """Make, change and switch off schedules, so that they are those of a version's tasks.

    Workers of a version that is not the current one change nothing.
    """
    state, store = owner.state, owner.store.operations
    wanted = {
        f"{DECLARED}{task.id}/{number}": (task.id, spec)
        for task in tasks
        for number, spec in enumerate(task.schedules)
        if _readable(task.id, spec)
    }
    async with state.scheduling:
        rows = await store.schedules_declared(state.shard_id, env.env_id)
        known = {row.dedup_key: row for row in rows}
        if not (wanted or known) or not await _is_current(owner, env, version):
            return
        now, changes = state.clock.now(), []
        for key, (task, spec) in wanted.items():
            old = known.get(key)
            id_ = old.schedule_id if old else state.ids.new("sched", now, state.shard_id)
            new = _new(id_, env.env_id, key, task, spec, now)
            if old is None or old.gone or ticks.timing(old) != ticks.timing(new):
                changes.append(write(owner, id_, partial(_declare, new)))
        told = {task.id for task in tasks}
        for key, row in known.items():
            if key not in wanted and not row.gone and _is_gone(state, row, version, told):
                changes.append(write(owner, row.schedule_id, _end))
        for end in await asyncio.gather(*changes, return_exceptions=True):
            if isinstance(end, InvalidOptions):  # a date that lies in the past by now
                log.info("a declared schedule: %s", end.message)
            elif end is not None and isinstance(end, BaseException):
                raise end


async def _is_current(owner: Owner, env: EnvironmentRow, version: str) -> bool:
    try:
        return (await deployments.current(owner, env)).version == version
    except NotFound:
        return False


def _is_gone(state: State, row: ScheduleRow, version: str, told: set[str]) -> bool:
    """Whether the code of that version does not declare the schedule any more.

    A worker may know a part of the tasks only, so that what it does not tell of can be another's.
    """
    if row.task in told:
        return True
    found = state.tasks.get((row.env_id, row.task))
    if found is not None and found[1] != version:
        return True
    return not any(
        row.task in session.tasks and session.env_id == row.env_id
        for session in state.sessions.values()
    )


def _readable(task: str, spec: ScheduleSpec) -> bool:
    """Whether this release understands the schedule; that of the worker did."""
    try:
        schedule.check(spec.cron, spec.timezone, spec.window, spec.catch_up)
    except InvalidOptions as error:
        log.warning("task %s declares a schedule that is left out: %s", task, error.message)
        return False
    return True


def _new(id_: str, env_id: int, key: str, task: str, spec: ScheduleSpec, now: int) -> ScheduleRow:
    return ScheduleRow(
        id_,
        env_id,
        "declarative",
        task,
        spec.cron,
        spec.timezone,
        spec.window,
        key,
        None,
        1,
        0,
        None,
        now,
        now,
        catch_up=spec.catch_up,
    )


def _declare(new: ScheduleRow, old: ScheduleRow | None, now: int) -> ScheduleRow:
    """The schedule as it is declared; what people have switched off stays so."""
    if old is None:
        return ruled(new, now)
    new.created_at, new.last_at = old.created_at, old.last_at
    was_off = not old.active and not old.gone and old.next_at != old.last_at
    new = ruled(new, now)
    new.active = int(not was_off)
    return new


def _end(old: ScheduleRow | None, now: int) -> ScheduleRow | None:
    if old is None:
        return None
    return msgspec.structs.replace(old, active=0, gone=old.active, updated_at=now)
