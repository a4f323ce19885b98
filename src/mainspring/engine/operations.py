"""Answers to what people do in bulk and by schedule, and to what they look into."""

from __future__ import annotations

from typing import assert_never

from mainspring.engine import (
    deployments,
    environments,
    observing,
    query,
    schedules,
    trace,
    usage,
    versioning,
)
from mainspring.engine.listing import tell_status
from mainspring.engine.neighbours import cut
from mainspring.engine.owner import Owner
from mainspring.errors import NotFound
from mainspring.ids import shard_of
from mainspring.store.operating import BulkRow, Window
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import operating as wire
from mainspring.wire.deploying import DeployingRequest
from mainspring.wire.environments import EnvironmentRequest
from mainspring.wire.observing import ObservingRequest

PAGE_LIMIT = 100
CHILDREN = 100
"""Children that are shown beside a run."""


async def answer(  # noqa: C901 - one line per request is the table
    owner: Owner, env: EnvironmentRow, request: wire.OperatingRequest
) -> wire.OperatingResponse:
    """Answer one of these requests. Raises: as the function that answers it."""
    if isinstance(request, DeployingRequest):
        return await versioning.answer(owner, env, request)
    if isinstance(request, ObservingRequest):
        return await observing.answer(owner, env, request)
    if isinstance(request, EnvironmentRequest):
        return await environments.answer(owner, env, request)
    match request:
        case wire.InspectRun():
            return await inspect(owner, env, request.run_id)
        case wire.TraceRun():
            return await trace.trace(owner, env, request)
        case wire.StartBulk():
            return _bulk(await owner.bulks.start(env.env_id, request))
        case wire.GetBulk():
            return _bulk(await _bulk_row(owner, env, request.bulk_id))
        case wire.AbortBulk():
            return _bulk(await owner.bulks.abort(await _bulk_row(owner, env, request.bulk_id)))
        case wire.ListBulks():
            return await bulks(owner, env, request)
        case wire.SetSchedule():
            return await schedules.set_schedule(owner, env, request)
        case wire.GetSchedule():
            return await schedules.get(owner, env, request.id)
        case wire.SwitchSchedule():
            return await schedules.switch(owner, env, request.id, request.active)
        case wire.DeleteSchedule():
            return await schedules.delete(owner, env, request.id)
        case wire.ListSchedules():
            return await schedules.page(owner, env, request)
        case wire.RunSchedule():
            return await schedules.run_now(owner, env, request.id)
        case wire.NextTicks():
            return await schedules.next_ticks(owner, env, request)
        case wire.ListDeployments():
            return await deployments.page(owner, env, request)
        case wire.CurrentDeployment():
            return await deployments.current(owner, env)
        case wire.PauseEnvironment():
            return await environments.pause(owner, env, request.paused)
        case _:
            assert_never(request)


async def inspect(owner: Owner, env: EnvironmentRow, run_id: str) -> wire.RunDetail:
    """One run with everything, and in short what stands around it. Raises: NotFound."""
    run = await query.one(owner, env, run_id)
    shard_id, runs = owner.state.shard_id, owner.store.runs
    children = await runs.children(shard_id, run.id, "", CHILDREN)
    above = {run.root_id, run.parent_id} - {None, run.id}
    wanted = sorted({*children, *(id_ for id_ in above if id_ is not None)})
    briefs = await runs.briefs(shard_id, wanted) if wanted else []
    by_id = {brief.id: brief for brief in briefs if brief.env_id == env.env_id}
    for brief in by_id.values():
        tell_status(owner.state, brief)
    return wire.RunDetail(
        run,
        by_id.get(run.root_id or ""),
        by_id.get(run.parent_id or ""),
        [by_id[id_] for id_ in children if id_ in by_id],
        await schedules.perhaps(owner, env, run.schedule_id),
        await usage.of(owner, run),
    )


async def bulks(owner: Owner, env: EnvironmentRow, wanted: wire.ListBulks) -> wire.BulkPage:
    """One page of bulk actions, newest first, with cursors to its neighbours."""
    limit = max(1, min(wanted.limit, PAGE_LIMIT))
    window = Window(
        wanted.before or "", wanted.after or "~", limit, newer=wanted.before is not None
    )
    rows = await owner.store.operations.bulks(owner.state.shard_id, env.env_id, window)
    found, next_, previous = cut(rows, window, after=wanted.after is not None)
    return wire.BulkPage(
        [_bulk(row) for row in found],
        next=next_.bulk_id if next_ is not None else None,
        previous=previous.bulk_id if previous is not None else None,
    )


async def _bulk_row(owner: Owner, env: EnvironmentRow, bulk_id: str) -> BulkRow:
    try:
        right = bulk_id.startswith("bulk_") and shard_of(bulk_id) == owner.state.shard_id
    except ValueError:
        right = False
    row = await owner.store.operations.bulk(owner.state.shard_id, bulk_id) if right else None
    if row is None or row.env_id != env.env_id:
        raise NotFound(f"No bulk action {bulk_id[:80]!r} in this environment.")
    return row


def _bulk(row: BulkRow) -> wire.Bulk:
    return wire.Bulk(
        row.bulk_id,
        row.kind,
        row.status,
        row.created_at,
        row.name,
        row.total,
        row.success,
        row.failure,
        row.completed_at,
    )
