"""Answers to what people look at across runs. Each costs about the same, however much there is."""

from __future__ import annotations

from typing import Final, assert_never

from mainspring.engine import alike, count_lines, find_lines, series, taking
from mainspring.engine.batches import see_ends
from mainspring.engine.batches_plan import is_given_up
from mainspring.engine.neighbours import cut
from mainspring.engine.owner import Owner
from mainspring.ids import lower_bound
from mainspring.model.run import FINAL, Status
from mainspring.store.batching import BatchRow
from mainspring.store.operating import Window
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import observing as wire
from mainspring.wire.measuring import CountLines, ListMetrics, ReadMetric, TakeTelemetry

COUNTED: Final = 10_000
"""How far runs are counted."""
PAGE_LIMIT: Final = 100
LOOKED_AT: Final = 2_000
"""Items of batches that one list looks at."""
_PARKED: Final = {
    "delay": Status.DELAYED,
    "retry": Status.EXECUTING,
    "wait": Status.WAITING,
    "version": Status.PENDING_VERSION,
}


async def answer(
    owner: Owner, env: EnvironmentRow, request: wire.ObservingRequest
) -> wire.ObservingResponse:
    """Answer one of these requests. Raises: as the function that answers it."""
    match request:
        case wire.CountRuns():
            return await counts(owner, env, request.since)
        case wire.ListBatches():
            return await batches(owner, env, request)
        case wire.ListWorkers():
            return workers(owner, env)
        case wire.ListErrors():
            return await alike.page(owner, env, request)
        case wire.GetError():
            return await alike.one(owner, env, request.id)
        case wire.MarkError():
            return await alike.mark(owner, env, request.id, request.status)
        case wire.FindLines():
            return await find_lines.find(owner, env, request)
        case CountLines():
            return await count_lines.count(owner, env, request)
        case ListMetrics():
            return await series.names(owner, env)
        case ReadMetric():
            return await series.read(owner, env, request)
        case TakeTelemetry():
            return await taking.take(owner, env, request)
        case _:
            assert_never(request)


async def counts(owner: Owner, env: EnvironmentRow, since: int) -> wire.RunCounts:
    """Runs by status: what has a slot or a place in a lane from memory, the rest from rows."""
    state, observing = owner.state, owner.store.runs.observing
    live = dict.fromkeys((Status.QUEUED, *_PARKED.values()), 0)
    tree = state.core.tree.environments.get(env.env_id)
    if tree is not None:
        live[Status.QUEUED] = sum(queue.queued for queue in tree.queues.values())
    live[Status.EXECUTING] = sum(one.env_id == env.env_id for one in state.lives.values())
    for kind, found in (await observing.parked(state.shard_id, env.env_id, COUNTED)).items():
        live[_PARKED[kind]] += found
    low = lower_bound("run", max(since, 0))
    statuses = sorted(status.value for status in FINAL)
    ended = await observing.ended(state.shard_id, env.env_id, statuses, low, COUNTED)
    return wire.RunCounts({status.value: count for status, count in live.items()}, ended, COUNTED)


async def batches(owner: Owner, env: EnvironmentRow, wanted: wire.ListBatches) -> wire.BatchPage:
    """One page of batches, newest first, with cursors to its neighbours."""
    limit = max(1, min(wanted.limit, PAGE_LIMIT))
    window = Window(
        wanted.before or "", wanted.after or "~", limit, newer=wanted.before is not None
    )
    rows = await owner.store.runs.observing.batches(owner.state.shard_id, env.env_id, window)
    found, next_, previous = cut(rows, window, after=wanted.after is not None)
    room, shown = LOOKED_AT, []
    for row in found:
        ended, looked_at = await _ended(owner, row, room)
        room -= looked_at
        shown.append(_brief(owner, row, ended))
    return wire.BatchPage(
        shown,
        next=next_.batch_id if next_ is not None else None,
        previous=previous.batch_id if previous is not None else None,
    )


async def _ended(owner: Owner, row: BatchRow, room: int) -> tuple[int, int]:
    """(how many items of a full batch are known to be over, how many were looked at). Where the
    search left off is kept, so that each item is found over once.
    """
    since = owner.ends_seen.get(row.batch_id, 0)
    if row.sealed_at is None or since >= row.run_count or room <= 0:
        return since, 0
    found = await owner.store.runs.observing.batch_ends(
        owner.state.shard_id, row.batch_id, since, room
    )
    place = next((number for number, over in found if not over), None)
    if place is None:
        place = row.run_count if len(found) < room else found[-1][0] + 1
    see_ends(owner, row, place)
    return place, len(found)


def _brief(owner: Owner, row: BatchRow, ended: int) -> wire.BatchBrief:
    if row.sealed_at is None:
        status = "aborted" if is_given_up(row, owner.state.clock.now()) else "pending"
    elif row.failed:
        status = "aborted" if row.failed == row.run_count else "partial_failed"
    else:
        status = "completed" if ended >= row.run_count else "processing"
    return wire.BatchBrief(
        row.batch_id,
        status,
        row.run_count,
        row.received,
        row.failed,
        ended,
        row.created_at,
        row.sealed_at,
        row.idempotency_shown or row.idempotency_key,
    )


def workers(owner: Owner, env: EnvironmentRow) -> wire.WorkerList:
    """Every session of the environment, by host and process."""
    listed = [
        wire.Worker(
            session.id,
            session.host,
            session.pid,
            session.version,
            session.slots,
            len(session.holds),
            len(session.parked),
            sorted(session.tasks),
            session.deliver is not None,
            session.since,
        )
        for session in owner.state.sessions.values()
        if session.env_id == env.env_id
    ]
    return wire.WorkerList(sorted(listed, key=lambda one: (one.host, one.pid, one.id)))
