"""One answer for each request of `wire.calls`, whoever asks: SDK in process, worker, HTTP."""

from __future__ import annotations

import asyncio
from typing import Any, assert_never

from mainspring.engine import (
    batches,
    below,
    following,
    operations,
    past,
    query,
    queues,
    streaming,
    waitpoints,
)
from mainspring.engine.again import again, change
from mainspring.engine.cancel import CancelCall
from mainspring.engine.children import Kept
from mainspring.engine.edit import RescheduleCall, ResetKeyCall, TagCall
from mainspring.engine.explain import explain
from mainspring.engine.intake import prepare
from mainspring.engine.owner import Owner
from mainspring.engine.restart import restart
from mainspring.engine.settle import settle
from mainspring.engine.trigger import TriggerCall
from mainspring.engine.whole import Whole
from mainspring.errors import InvalidOptions
from mainspring.model import limits
from mainspring.model.run import Run, TriggerAnswer, TriggerRequest
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from mainspring.wire.operating import OperatingRequest
from mainspring.wire.streams import StreamRequest


async def answer(  # noqa: C901 - one line per request is the table
    owner: Owner, env: EnvironmentRow, request: calls.Request, run_id: str | None, epoch: int = 0
) -> calls.Response:
    """Answer a request of an environment; `run_id` and `epoch` are those of the attempt whose code
    asks, if any.

    Raises: a CallerError that says what is wrong, StoreUnavailable when it may be repeated.
    """
    if isinstance(request, calls.Trigger):  # first: the most frequent one, and a union costs time
        return await make(owner, env, request, run_id, epoch)
    if isinstance(request, OperatingRequest):
        return await operations.answer(owner, env, request)
    if isinstance(request, waitpoints.Request):
        return await waitpoints.answer(owner, env, request)
    if isinstance(request, StreamRequest):
        return await streaming.answer(owner, env, request, run_id, epoch)
    match request:
        case calls.AwaitRun():
            return await query.result(owner, env, request, run_id)
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
        case calls.ListQueues() | calls.ListKeys() | calls.PauseQueue() | calls.SetQueue():
            return await queues.answer(owner, env, request)
        case calls.ListTasks():
            return query.tasks(owner, env)
        case calls.ListLogs() | calls.AwaitRuns():
            return await following.answer(owner, env, request)
        case calls.GetOutcomes():
            return await past.outcomes(owner, env, request.run_ids)
        case calls.ListJournal():
            return await past.journal(owner, env, request.run_id)
        case calls.RestartRun():
            return await restart(owner, env, request)
        case calls.SettleRun():
            return await settle(owner, env, request)
        case calls.CreateBatch() | calls.AddItems() | calls.RetrieveBatch() | calls.ListBatchRuns():
            return await batches.answer(owner, env, request, run_id)
        case calls.ListVariables() | calls.SetVariables() | calls.DropVariable():
            return await owner.variables.answer(env, request)
        case _:
            assert_never(request)


async def make(
    owner: Owner, env: EnvironmentRow, request: calls.Trigger, run_id: str | None, epoch: int
) -> calls.Triggered:
    """Make runs as they were asked for. Raises: as `trigger`."""
    kept = Kept.of(run_id, epoch, request)
    whole = None
    if request.as_batch and request.requests:
        whole = Whole(env.env_id, request.request_key)
    answers = await trigger(owner, env, request.requests, run_id, kept, whole)
    if whole is None:
        return calls.Triggered(answers)
    told = kept.batch_id if kept is not None else None  # the journal's, when it had the runs
    return calls.Triggered(answers, told or whole.batch_id)


async def trigger(
    owner: Owner,
    env: EnvironmentRow,
    requests: list[TriggerRequest],
    parent: str | None,
    kept: Kept | None = None,
    whole: Whole | None = None,
) -> list[TriggerAnswer]:
    """Make runs; returns once they are durable.

    Raises: InvalidOptions, also beyond 100 generations of children; UnknownTask, InvalidPayload,
    Conflict when the parent is canceled.
    """
    if parent is not None:
        await below.put(owner, env, parent, [request.options for request in requests])
    items = await prepare(owner.state, owner.objects, env.env_id, requests)
    if not items:
        return []
    while owner.waiting > batches.BACKLOG:
        await owner.turn_over()
    future: asyncio.Future[list[TriggerAnswer]] = asyncio.get_running_loop().create_future()
    owner.submit(TriggerCall(env.env_id, items, future, kept=kept, whole=whole))
    answers = await future
    if whole is not None and whole.again:
        return await batches.answers_of(owner, whole.batch_id)
    return answers


async def cancel(owner: Owner, env: EnvironmentRow, run_id: str) -> Run:
    """Cancel a run; harmless when it has ended."""
    run = await query.one(owner, env, run_id)
    if run.status.is_final:
        return run
    await _done(owner, CancelCall, run_id)
    return await query.one(owner, env, run_id)


async def replay(owner: Owner, env: EnvironmentRow, request: calls.ReplayRun) -> TriggerAnswer:
    """A new run like an old one, without its idempotency key and delay, but for what is given."""
    old = await query.one(owner, env, request.run_id)
    payload = old.payload if request.payload is None else request.payload
    wanted = again(old, payload, request.request_key)
    change(wanted.options, request.options, request.given)
    return (await trigger(owner, env, [wanted], None))[0]


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


async def _done(owner: Owner, verb: Any, *arguments: Any) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    owner.submit(verb(*arguments, future))
    await future
