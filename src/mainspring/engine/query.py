"""Answers that only read: runs, pages, results, logs, queues, tasks. Nothing is changed here."""

from __future__ import annotations

import asyncio
from itertools import islice

import msgspec

from mainspring.dispatch import lanes
from mainspring.dispatch.nodes import Key, Queue
from mainspring.engine import deadlock, listing
from mainspring.engine.gone import missing, unknown
from mainspring.engine.listing import tell_status
from mainspring.engine.owner import Owner
from mainspring.engine.state import Await
from mainspring.model.duration import spell
from mainspring.model.run import Run, RunFilter, RunPage
from mainspring.store.protocol import EnvironmentRow, QueueRow
from mainspring.wire import calls

PAGE_LIMIT = 100
KEYS = 2_000
"""Concurrency keys that one answer looks at, of all queues together."""


async def one(owner: Owner, env: EnvironmentRow, run_id: str) -> Run:
    """One run with everything. Raises: NotFound, also for a run of another environment, and
    RunArchived.
    """
    run = None
    if run_id.isascii() and "\0" not in run_id:  # no database could even look for another one
        run = await owner.lookup.run(run_id)
    if run is None:
        raise await unknown(owner, run_id)
    if run.env_id != env.env_id:
        raise missing(run_id)
    if run.payload_ref is not None:
        run.payload = await owner.objects.get(run.payload_ref)
    if run.output_ref is not None:
        run.output = await owner.objects.get(run.output_ref)
    tell_status(owner.state, run)
    return run


async def page(owner: Owner, env: EnvironmentRow, wanted: RunFilter) -> RunPage:
    """One page of runs, newest first, with cursors to its neighbours.

    Dequeued and executing runs are one in the rows: a filter for one of them may shorten pages.
    """
    wanted.limit = max(1, min(wanted.limit, PAGE_LIMIT))
    rows = await listing.runs(owner.state, owner.store, env.env_id, wanted)
    more = len(rows) > wanted.limit
    if wanted.before is not None:
        rows = rows[-wanted.limit :]
        older, newer = bool(rows), more
    else:
        rows = rows[: wanted.limit]
        older, newer = more, bool(rows) and wanted.after is not None
    return RunPage(
        [run for run in rows if listing.fit(run, wanted)],
        next=rows[-1].id if older and rows else None,
        previous=rows[0].id if newer and rows else None,
    )


async def result(
    owner: Owner, env: EnvironmentRow, request: calls.AwaitRun, asker: str | None = None
) -> Run:
    """Wait until the run is final, at most so long; then as it stands. `asker` is the run whose
    code waits. Raises: NotFound, Deadlock when the run cannot end before the asker does.
    """
    state, run_id, timeout_ms = owner.state, request.run_id, request.timeout_ms
    future: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
    state.waiters.setdefault(run_id, []).append(future)
    call = Await(asker, run_id, future, request.brief) if asker is not None else None
    if call is not None:
        state.awaits.append(call)
    try:
        live = state.lives.get(run_id)
        if live is None or live.env_id != env.env_id:
            run = await one(owner, env, run_id)
            if run.status.is_final or (timeout_ms <= 0 and not request.brief):
                return run
        run = await _end(owner, future, timeout_ms, call)
        if request.whole:
            return await one(owner, env, run_id)
        if run.output is None and run.output_ref is not None:
            run.output = await owner.objects.get(run.output_ref)
        return run
    except TimeoutError:
        return await one(owner, env, run_id)
    finally:
        if call is not None:
            state.awaits.remove(call)
        futures = state.waiters.get(run_id)
        if futures is not None and future in futures:
            futures.remove(future)
            if not futures:
                del state.waiters[run_id]


async def _end(
    owner: Owner, future: asyncio.Future[Run], timeout_ms: int, call: Await | None
) -> Run:
    """The run that ends. Raises: TimeoutError, Deadlock."""
    if call is not None:
        await deadlock.check(owner, [call])
    await asyncio.wait((future,), timeout=timeout_ms / 1000)
    if not future.done() and call is not None and call.brief:
        # it goes on to wait durably, at which nobody looks; and others may have begun to
        await deadlock.check(owner, [call])
    if not future.done():
        raise TimeoutError
    return future.result()


def queues(owner: Owner, env: EnvironmentRow) -> calls.QueueList:
    """Every queue of the environment as it stands, by name."""
    rows = [row for (env_id, _), row in sorted(owner.state.queues.items()) if env_id == env.env_id]
    keys = KEYS // max(1, len(rows))
    return calls.QueueList([queue(owner, row, keys) for row in rows])


def queue(owner: Owner, row: QueueRow, keys: int = KEYS) -> calls.Queue:
    """One queue as it stands; for its oldest run no more than that many keys are looked at."""
    stats = owner.state.core.tree.environments[row.env_id].queues.get(row.spec.name)
    spec = row.spec
    return calls.Queue(
        spec.name,
        queued=stats.queued if stats is not None else 0,
        running=stats.running if stats is not None else 0,
        paused=row.paused,
        limit=spec.limit if row.override_at is None else row.override_limit,
        base_limit=spec.limit,
        override_limit=row.override_limit,
        override_at=row.override_at,
        total=spec.total,
        rate=f"{spec.rate.limit} per {spell(spec.rate.period_ms)}" if spec.rate else None,
        oldest_at=_oldest(stats, keys) if stats is not None and stats.queued else None,
    )


def oldest(key: Key) -> int | None:
    """When the run became ready that goes first for the key, earlier by its priority."""
    return min((first[0] for lane in key.lanes() if (first := lanes.first(lane))), default=None)


def _oldest(queue: Queue, keys: int) -> int | None:
    found = map(oldest, islice(queue.keys.values(), max(1, keys)))
    return min((at for at in found if at is not None), default=None)


def tasks(owner: Owner, env: EnvironmentRow) -> calls.TaskList:
    """Every registered task of the environment, by id."""
    state = owner.state
    listed = []
    for (env_id, task_id), (spec, version) in sorted(state.tasks.items()):
        if env_id != env.env_id:
            continue
        workers = sum(
            task_id in session.tasks and session.deliver is not None
            for session in state.sessions.values()
            if session.env_id == env_id
        )
        listed.append(
            calls.Task(
                task_id,
                spec.queue,
                version,
                spec.description,
                spec.payload_schema,
                msgspec.to_builtins(spec),
                workers,
            )
        )
    return calls.TaskList(listed)
