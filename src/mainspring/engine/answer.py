"""One answer for each request of `wire.calls`, whoever asks: SDK in process, worker, HTTP."""

from __future__ import annotations

import asyncio
from typing import Any, assert_never

import msgspec

from mainspring.engine import past, query, waitpoints
from mainspring.engine.cancel import CancelCall
from mainspring.engine.children import Kept
from mainspring.engine.edit import RescheduleCall, ResetKeyCall, TagCall
from mainspring.engine.explain import explain
from mainspring.engine.intake import prepare
from mainspring.engine.live import Live
from mainspring.engine.owner import Owner
from mainspring.engine.restart import again, restart
from mainspring.engine.settle import settle
from mainspring.engine.trigger import TriggerCall
from mainspring.errors import Conflict, InvalidOptions, NotFound
from mainspring.model import limits
from mainspring.model.run import Run, Status, TriggerAnswer, TriggerRequest
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls

DEPTH = 100
"""How many levels of children a run may have below it."""
BACKLOG = 20_000
"""New runs that may wait for their commit; more callers wait until there is room."""


async def answer(  # noqa: C901 - one line per request is the table
    owner: Owner, env: EnvironmentRow, request: calls.Request, run_id: str | None, epoch: int = 0
) -> calls.Response:
    """Answer a request of an environment; `run_id` and `epoch` are those of the attempt whose code
    asks, if any.

    Raises: a CallerError that says what is wrong, StoreUnavailable when it may be repeated.
    """
    match request:
        case calls.Trigger():
            kept = Kept.of(run_id, epoch, request)
            return calls.Triggered(await trigger(owner, env, request.requests, run_id, kept))
        case calls.AwaitRun():
            return await query.result(owner, env, request.run_id, request.timeout_ms, run_id)
        case calls.Retrieve():
            return await query.one(owner, env, request.run_id)
        case calls.ListRuns():
            return await query.page(owner, env, request.filter)
        case calls.CancelRun():
            return await cancel(owner, env, request.run_id)
        case calls.ReplayRun():
            return await replay(owner, env, request)
        case calls.RescheduleRun():
            return await reschedule(owner, env, request)
        case calls.AddTags():
            return await add_tags(owner, env, request)
        case calls.ResetKey():
            return await reset_key(owner, env, request)
        case calls.ExplainRun():
            return await explain(owner, env, request.run_id)
        case calls.ListQueues():
            return query.queues(owner, env)
        case calls.PauseQueue():
            return await change_queue(owner, env, request.name, paused=request.paused)
        case calls.SetQueue():
            return await set_queue(owner, env, request)
        case calls.ListTasks():
            return query.tasks(owner, env)
        case calls.ListLogs():
            return await logs(owner, env, request)
        case calls.GetOutcomes():
            return await past.outcomes(owner, env, request.run_ids)
        case calls.ListJournal():
            return await past.journal(owner, env, request.run_id)
        case calls.RestartRun():
            return await restart(owner, env, request)
        case calls.SettleRun():
            return await settle(owner, env, request)
        case (
            calls.CreateToken()
            | calls.GetToken()
            | calls.CompleteToken()
            | calls.ListTokens()
            | calls.SendInput()
            | calls.EmitEvent()
            | calls.UpdateMetadata()
        ):
            return await waitpoints.answer(owner, env, request)
        case _:
            assert_never(request)


async def trigger(
    owner: Owner,
    env: EnvironmentRow,
    requests: list[TriggerRequest],
    parent: str | None,
    kept: Kept | None = None,
) -> list[TriggerAnswer]:
    """Make runs; returns once they are durable.

    Raises: InvalidOptions, also beyond 100 generations of children; UnknownTask, InvalidPayload,
    Conflict when the parent is canceled.
    """
    if parent is not None:
        above: Live | Run = owner.state.lives.get(parent) or await query.one(owner, env, parent)
        if isinstance(above, Run) and above.status is Status.CANCELED:
            raise Conflict(f"Run {parent} is canceled; it takes no new children.")
        for request in requests:
            options = request.options
            options.parent_id = parent
            options.root_id = above.root_id or parent
            options.depth = above.depth + 1
        if above.depth >= DEPTH:
            raise InvalidOptions(
                f"Run {parent} stands {above.depth} levels below its root, the most there may be; "
                "trigger the next one from outside of a run, or go on with `continue_with`."
            )
    items = await prepare(owner.state, owner.objects, env.env_id, requests)
    if not items:
        return []
    while owner.waiting > BACKLOG:
        await owner.turn_over()
    future: asyncio.Future[list[TriggerAnswer]] = asyncio.get_running_loop().create_future()
    owner.submit(TriggerCall(env.env_id, items, future, kept=kept))
    return await future


async def cancel(owner: Owner, env: EnvironmentRow, run_id: str) -> Run:
    """Cancel a run; harmless when it has ended."""
    run = await query.one(owner, env, run_id)
    if run.status.is_final:
        return run
    await _done(owner, CancelCall, run_id)
    return await query.one(owner, env, run_id)


async def replay(owner: Owner, env: EnvironmentRow, request: calls.ReplayRun) -> TriggerAnswer:
    """A new run like an old one, without its idempotency key and delay."""
    old = await query.one(owner, env, request.run_id)
    payload = old.payload if request.payload is None else request.payload
    return (await trigger(owner, env, [again(old, payload)], None))[0]


async def reschedule(owner: Owner, env: EnvironmentRow, request: calls.RescheduleRun) -> Run:
    """Give a delayed run another time."""
    if (request.delay_ms is None) == (request.delay_until is None):
        raise InvalidOptions("reschedule takes exactly one of a delay and a date.")
    time = request.delay_until if request.delay_ms is None else request.delay_ms
    limits.check_number(time or 0, "delay", 0, limits.LONGEST_MS)
    await query.one(owner, env, request.run_id)
    await _done(owner, RescheduleCall, request.run_id, request.delay_ms, request.delay_until)
    return await query.one(owner, env, request.run_id)


async def add_tags(owner: Owner, env: EnvironmentRow, request: calls.AddTags) -> Run:
    """Add tags to a run, up to what a run may have."""
    run = await query.one(owner, env, request.run_id)
    limits.check_tags(tuple(dict.fromkeys((*run.tags, *request.tags))))
    await _done(owner, TagCall, env.env_id, run.id, request.tags)
    return await query.one(owner, env, request.run_id)


async def reset_key(owner: Owner, env: EnvironmentRow, request: calls.ResetKey) -> TriggerAnswer:
    """Forget an idempotency key."""
    future: asyncio.Future[TriggerAnswer] = asyncio.get_running_loop().create_future()
    owner.submit(ResetKeyCall(env.env_id, request.task, request.key, future))
    return await future


async def set_queue(owner: Owner, env: EnvironmentRow, request: calls.SetQueue) -> calls.Queue:
    """Override the limit of a queue, or go back to the code's own."""
    if request.reset:
        return await change_queue(owner, env, request.name, override_limit=None, override_at=None)
    if request.limit is not None and request.limit < 0:
        raise InvalidOptions(f"limit is {request.limit}; it must be 0 or more.")
    now = owner.state.clock.now()
    return await change_queue(
        owner, env, request.name, override_limit=request.limit, override_at=now
    )


async def change_queue(owner: Owner, env: EnvironmentRow, name: str, **changes: Any) -> calls.Queue:
    """Keep what people set for a queue, then apply it."""
    row = owner.state.queues.get((env.env_id, name))
    if row is None:
        known = ", ".join(sorted(q for e, q in owner.state.queues if e == env.env_id)[:10])
        raise NotFound(f"No queue {name[:128]!r} in this environment. Known: {known or 'none'}.")
    row = msgspec.structs.replace(row, **changes)
    await owner.store.catalog.set_queue(row)
    owner.state.set_queue(row)
    owner.ring()
    return query.queue(owner, row)


async def logs(owner: Owner, env: EnvironmentRow, request: calls.ListLogs) -> calls.LogPage:
    """Lines of a run."""
    await query.one(owner, env, request.run_id)
    lines = await owner.store.runs.logs(
        owner.state.shard_id, request.run_id, request.after, max(1, min(request.limit, 10_000))
    )
    return calls.LogPage(lines)


async def _done(owner: Owner, verb: Any, *arguments: Any) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    owner.submit(verb(*arguments, future))
    await future
