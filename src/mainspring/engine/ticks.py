"""Ticks of schedules: read into the timers, and fired in the commit that makes their runs.

That commit moves the schedule on from exactly the tick it fires, or it does not hold: so there is
one run for each tick, whatever crashes and whoever else believes to own the shard.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from mainspring.dispatch.timers import Timer
from mainspring.engine.batch import Batch, Facts
from mainspring.engine.intake import Prepared, assemble
from mainspring.engine.state import State
from mainspring.engine.trigger import plan_one
from mainspring.errors import CallerError
from mainspring.model import schedule
from mainspring.model.firing import Timing
from mainspring.model.run import TriggerOptions, TriggerRequest
from mainspring.model.task import TaskSpec, default_queue
from mainspring.store.operating import ScheduleRow
from mainspring.store.protocol import Store
from mainspring.wire.ticks import ScheduledPayload, encoded, moment

TIMER: Final = "tick"
"""The kind of these timers. They have no rows: those of the schedules stand for them."""
UPCOMING: Final = 5
PAGE: Final = 5_000
MOST: Final = 2_000
"""Runs that schedules make in one commit, about."""


async def load(store: Store, shard_id: int, start: int, until: int) -> list[Timer]:
    """The timers of schedules that fire from `start` on and before `until`."""
    found: list[Timer] = []
    cursor = (start - 1, "\U0010ffff")
    while True:
        rows = await store.operations.schedules_due(shard_id, cursor, until - 1, PAGE)
        found.extend((fire_at, TIMER, schedule_id, "") for fire_at, schedule_id in rows)
        if len(rows) < PAGE:
            return found
        cursor = rows[-1]


def timer(row: ScheduleRow) -> Timer:
    """What stands for the next tick in memory."""
    return (row.fire_at, TIMER, row.schedule_id, "")


def timing(row: ScheduleRow) -> Timing:
    """What the times of a schedule follow from."""
    key = f"{row.env_id}:{row.dedup_key}"
    return Timing(row.cron, row.timezone, row.spread, row.catch_up, key)


async def read(state: State, store: Store, wanted: Iterable[str], facts: Facts) -> None:
    """The schedules as they stand."""
    for row in await store.operations.schedules_many(state.shard_id, sorted(wanted)):
        facts.schedules[row.schedule_id] = row


def fire(state: State, batch: Batch, facts: Facts, due: Timer) -> None:
    """Make the runs of what is due and move the schedule on."""
    row = facts.schedules.get(due[2])
    if row is None or not row.active or row.fire_at != due[0]:
        return  # it has been changed since
    if len(batch.changes.run) >= MOST:
        state.timers.add(due)
        return
    now, rule = batch.now, timing(row)
    firing = rule.fire(row.next_at, now)
    last_at = row.last_at
    for tick in firing.ticks:
        item = prepared(state, row, tick, now, last_at)
        plan_one(state, batch, facts, row.env_id, item, None)
        last_at = tick
    active = int(firing.next_at is not None)
    next_at, fire_at = firing.next_at or row.next_at, firing.fire_at
    batch.changes.tick.append((row.schedule_id, row.next_at, next_at, fire_at, last_at, active))
    batch.touched.add(row.schedule_id)
    if active:
        state.timers.add((fire_at, TIMER, row.schedule_id, ""))


def prepared(state: State, row: ScheduleRow, tick: int, now: int, last_at: int | None) -> Prepared:
    """The run of a tick. What does not fit its task is left to the worker, as nobody asks here.

    A task without parameters is told nothing.
    """
    upcoming = schedule.ticks(row.cron, row.timezone, tick, UPCOMING)
    payload = ScheduledPayload(
        type=row.kind.upper(),
        schedule_id=row.schedule_id,
        timestamp=moment(tick),
        fired_at=moment(now),
        last_timestamp=None if last_at is None else moment(last_at),
        timezone=row.timezone,
        external_id=row.external_id,
        upcoming=tuple(map(moment, upcoming)),
    )
    found = state.tasks.get((row.env_id, row.task))
    plain = TaskSpec(row.task, default_queue(row.task))
    spec = found[0] if found is not None else plain
    if spec.idempotency_key is not None:  # each tick has its run
        spec = msgspec.structs.replace(spec, idempotency_key=None)
    options = TriggerOptions(schedule_id=row.schedule_id, checked=True)
    takes = spec.payload_schema is None or spec.payload_schema.get("properties") != {}
    request = TriggerRequest(row.task, encoded(payload) if takes else "null", options)
    try:
        item = assemble(row.env_id, spec, request)
    except CallerError:  # a template over a payload that this is not
        item = assemble(row.env_id, plain, request)
    item.known_task = found is not None
    return item
