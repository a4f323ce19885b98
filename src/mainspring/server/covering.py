"""What the scopes of a public token or a limited key must cover for each request of `wire.calls`.

A request that is not named here takes a secret key that covers all of its kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from mainspring.errors import Forbidden, NotFound
from mainspring.model.run import Run
from mainspring.model.scope import Resource
from mainspring.server import permits
from mainspring.server.asking import covered, resources
from mainspring.server.caller import Caller
from mainspring.server.exchange import Exchange
from mainspring.wire import calls, operating
from mainspring.wire.operating import RunDetail, Trace

Rule = Callable[[Exchange, Any], Awaitable[None]]


async def check(exchange: Exchange, request: calls.Request) -> None:
    """Let the caller go on with a request. Raises: Forbidden; NotFound for a run."""
    caller, rule = exchange.caller, _RULES.get(type(request))
    if caller.scopes is None or rule is None or _covers_all(caller, request):
        caller.permit(*permits.needs(request))
    else:
        await rule(exchange, request)


def visible(caller: Caller, detail: RunDetail) -> RunDetail:
    """The run with those of its relatives that the caller may see as well."""
    if caller.scopes is None:
        return detail
    children = [run for run in detail.children if _sees(caller, run)]
    root, parent = (
        run if run is not None and _sees(caller, run) else None
        for run in (detail.root, detail.parent)
    )
    return msgspec.structs.replace(detail, root=root, parent=parent, children=children)


def traced(caller: Caller, trace: Trace) -> Trace:
    """The trace without runs below its own that the caller may not see, and what is below those."""
    if caller.scopes is None:
        return trace
    top = trace.spans[0].run_id
    hidden: set[str] = set()
    for span in trace.spans:
        if span.kind == "run" and span.run_id != top:
            named: list[Resource] = [("runs", span.run_id), ("tasks", span.task)]
            if span.parent_id in hidden or not caller.covers("read", named):
                hidden.add(span.id)
        elif span.parent_id in hidden:
            hidden.add(span.id)
    shown = [span for span in trace.spans if span.id not in hidden]
    return msgspec.structs.replace(trace, spans=shown)


def _sees(caller: Caller, run: Run) -> bool:
    return caller.covers("read", resources(run))


def _covers_all(caller: Caller, request: calls.Request) -> bool:
    """Whether a limited key may do this to everything of its kind."""
    if caller.kind != "key":
        return False
    try:
        caller.permit(*permits.needs(request))
    except Forbidden:
        return False
    return True


def _run(action: str) -> Rule:
    async def rule(exchange: Exchange, request: Any) -> None:
        await covered(exchange, action, request.run_id)

    return rule


def _named(action: str, kind: str, name: str) -> Rule:
    async def rule(exchange: Exchange, request: Any) -> None:
        exchange.allow(action, (kind, getattr(request, name)))

    return rule


def _all(action: str, *kinds: str) -> Rule:
    async def rule(exchange: Exchange, request: Any) -> None:
        exchange.allow(action, *((kind, "") for kind in kinds))

    return rule


async def _trigger(exchange: Exchange, request: calls.Trigger) -> None:
    action = "batchTrigger" if request.as_batch else "trigger"
    exchange.allow_all(action, {("tasks", one.task): None for one in request.requests})
    if not request.requests:
        exchange.allow(action, ("tasks", ""))


async def _items(exchange: Exchange, request: calls.AddItems) -> None:
    if not exchange.caller.covers("write", [("batch", request.batch_id)]):
        named = {("tasks", item.request.task): None for item in request.items}
        exchange.allow_all("batchTrigger", named or [("tasks", "")])


async def _batch(exchange: Exchange, request: Any) -> None:
    exchange.allow("read", ("batch", request.batch_id), ("runs", ""))


async def _followed(exchange: Exchange, request: calls.AwaitRuns) -> None:
    if request.run_id is not None:
        await covered(exchange, "read", request.run_id)
    elif request.batch_id is not None:
        exchange.allow("read", ("batch", request.batch_id))
    else:
        exchange.allow("read", *(("tags", tag) for tag in request.tags))


async def _outcomes(exchange: Exchange, request: calls.GetOutcomes) -> None:
    for run_id in request.run_ids[:100]:
        try:
            await covered(exchange, "read", run_id)
        except NotFound:
            continue  # the answer leaves it out


async def _list(exchange: Exchange, request: calls.ListRuns) -> None:
    if not exchange.caller.covers("read", [("runs", ""), ("tasks", "")]):
        named = [("tasks", task) for task in request.filter.task]
        exchange.allow_all("read", named or [("runs", "")])


_RULES: Final[dict[type, Rule]] = {
    calls.Trigger: _trigger,
    calls.CreateBatch: _all("batchTrigger", "tasks"),
    calls.AddItems: _items,
    calls.RetrieveBatch: _batch,
    calls.ListBatchRuns: _batch,
    calls.Retrieve: _run("read"),
    calls.AwaitRun: _run("read"),
    calls.AwaitRuns: _followed,
    calls.ListRuns: _list,
    calls.ListLogs: _run("read"),
    calls.GetOutcomes: _outcomes,
    calls.FindRun: _run("read"),
    calls.FindStream: _run("read"),
    calls.ReadStream: _run("read"),
    operating.InspectRun: _run("read"),
    operating.TraceRun: _run("read"),
    calls.CancelRun: _run("write"),
    calls.ResetKey: _all("write", "runs"),
    calls.CompleteToken: _named("write", "waitpoints", "token_id"),
    calls.SendInput: _named("write", "inputStreams", "run_id"),
    operating.ListDeployments: _all("read", "deployments"),
    operating.CurrentDeployment: _all("read", "deployments"),
}
