"""Asking the engine on behalf of a request. The right type of answer, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from mainspring.errors import InvalidOptions, MainspringError, NotFound
from mainspring.model import tracing
from mainspring.model.run import Run, TriggerAnswer, TriggerOptions, TriggerRequest
from mainspring.model.scope import Resource
from mainspring.server.exchange import Exchange
from mainspring.wire import calls

Answer = TypeVar("Answer")


async def ask(
    exchange: Exchange, request: calls.Request, kind: type[Answer], run_id: str | None = None
) -> Answer:
    """The engine's answer, which is of that type. Raises: MainspringError."""
    answer = await exchange.engine.answer(exchange.env, request, run_id)
    if not isinstance(answer, kind):
        raise MainspringError(f"the engine answered {type(request).__name__} with another type")
    return answer


async def covered(exchange: Exchange, action: str, run_id: str) -> Run:
    """The run, if the caller may do this to it: a token may name the run, its task, one of its tags
    or its batch. Who may not learns nothing of whether there is such a run.

    Raises: Forbidden, NotFound.
    """
    try:
        run = await ask(exchange, calls.Retrieve(run_id), Run)
    except NotFound:
        exchange.allow(action, ("runs", run_id))
        raise
    exchange.allow(action, *resources(run))
    return run


def resources(run: Run) -> list[Resource]:
    """What a scope may name to cover the run."""
    found = [("runs", run.id), ("tasks", run.task), *(("tags", tag) for tag in run.tags)]
    return [*found, ("batch", run.batch_id)] if run.batch_id else found


async def trigger(exchange: Exchange, requests: list[TriggerRequest]) -> list[TriggerAnswer]:
    """Make runs; a parent that is named must be a run of this environment, and one for all.

    Raises: NotFound for an unknown parent, InvalidOptions for several, and all of the engine.
    """
    return (await trigger_all(exchange, calls.Trigger(requests))).answers


def traced(exchange: Exchange, options: Iterable[TriggerOptions]) -> None:
    """Let runs be in the trace of the request, unless they say another one."""
    trace = tracing.read(exchange.header("traceparent"))
    for each in options:
        each.trace = each.trace or trace


async def trigger_all(exchange: Exchange, request: calls.Trigger) -> calls.Triggered:
    """The same with all that was asked. As a batch it is one request, whose repeats are known by
    that of the whole.
    """
    if request.as_batch:
        request.request_key = exchange.repeat_key
        for wanted in request.requests:
            wanted.options.request_key = None
    traced(exchange, [wanted.options for wanted in request.requests])
    parents = {wanted.options.parent_id for wanted in request.requests}
    parent = next(iter(parents), None)
    if len(parents) > 1:
        raise InvalidOptions("parentRunId: all items of a batch must have the same one, or none.")
    if parent is not None:
        await ask(exchange, calls.Retrieve(parent), Run)
    return await ask(exchange, request, calls.Triggered, parent)
