"""Runs: one, lists of them, and what may be done to one."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.responses import Response

from mainspring.errors import CallerError, InvalidPayload, NotBuilt, NotFound
from mainspring.model.run import Run, RunPage, TriggerAnswer
from mainspring.server.answers import json
from mainspring.server.api.tasks import ONE
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import calls, packets, runs, triggers
from mainspring.wire.filters import run_filter

LINES: Final = 10_000
_REPLAYED: Final = frozenset({"payload", "payloadType"})
_UNBUILT: Final = frozenset(
    {
        "metadata", "tags", "queue", "concurrencyKey", "machine", "version", "region", "delay",
        "ttl", "idempotencyKey", "idempotencyKeyTTL", "maxAttempts", "maxDuration", "priority",
    }
)  # fmt: skip


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v3/runs/{run}`."""
    run = await ask(exchange, calls.Retrieve(exchange.parameters[0]), Run)
    return json(await _whole(exchange, run))


async def page(exchange: Exchange) -> Response:
    """`GET /api/v1/runs`."""
    filter_ = run_filter(exchange.query, exchange.clock.now())
    found = await ask(exchange, calls.ListRuns(filter_), RunPage)
    env = {"id": exchange.environment_id, "name": exchange.env.slug}
    return json(runs.listed(found, exchange.version, env))


async def cancel(exchange: Exchange) -> Response:
    """`POST /api/v2/runs/{run}/cancel`; harmless on a finished run."""
    run = await ask(exchange, calls.CancelRun(exchange.parameters[0]), Run)
    return json({"id": run.id})


async def replay(exchange: Exchange) -> Response:
    """`POST /api/v1/runs/{run}/replay`, with another payload if one is given."""
    body = await exchange.json_or_nothing(ONE)
    if not isinstance(body, dict):
        raise CallerError("Body Error: the body must be an object, or empty.")
    for name in body:
        if name in _UNBUILT:
            raise NotBuilt(f"A replay with another {name} is not built yet; trigger a new run.")
        if name not in _REPLAYED:
            raise CallerError(f"Body Error: a replay has no {name[:60]!r}.")
    payload = _payload(body) if "payload" in body else None
    request = calls.ReplayRun(exchange.parameters[0], payload)
    answer = await ask(exchange, request, TriggerAnswer)
    return json({"id": answer.run_id})


async def reschedule(exchange: Exchange) -> Response:
    """`POST /api/v1/runs/{run}/reschedule`."""
    delay_ms, delay_until = triggers.delay(await exchange.json())
    request = calls.RescheduleRun(exchange.parameters[0], delay_ms, delay_until)
    return json(await _whole(exchange, await ask(exchange, request, Run)))


async def add_tags(exchange: Exchange) -> Response:
    """`POST /api/v1/runs/{run}/tags`."""
    tags = triggers.tags(await exchange.json())
    if not tags:
        await ask(exchange, calls.Retrieve(exchange.parameters[0]), Run)
        return json({"message": "No new tags to add"})
    await ask(exchange, calls.AddTags(exchange.parameters[0], tags), Run)
    return json({"message": f"Successfully set {len(tags)} new tags."})


async def result(exchange: Exchange) -> Response:
    """`GET /api/v1/runs/{run}/result`."""
    run = await ask(exchange, calls.Retrieve(exchange.parameters[0]), Run)
    found = runs.result(run)
    if found is None:
        raise NotFound("Run either doesn't exist or is not finished")
    return json(found)


async def events(exchange: Exchange) -> Response:
    """`GET /api/v1/runs/{run}/events`: what the run wrote."""
    request = calls.ListLogs(exchange.parameters[0], 0, LINES)
    return json(runs.events(await ask(exchange, request, calls.LogPage)))


async def reset_key(exchange: Exchange) -> Response:
    """`POST /api/v1/idempotencyKeys/{key}/reset`."""
    (key,) = exchange.parameters
    body = await exchange.json()
    task = body.get("taskIdentifier") if isinstance(body, dict) else None
    if not isinstance(task, str) or not task or "\0" in task:
        raise CallerError('Body Error: "taskIdentifier" must be the id of a task.')
    await ask(exchange, calls.ResetKey(task, key), TriggerAnswer)
    return json({"id": key})


async def _whole(exchange: Exchange, run: Run) -> dict[str, Any]:
    """The run with its root and parent beside it."""
    wanted = {"root": run.root_id, "parent": run.parent_id}
    named = {name: id_ for name, id_ in wanted.items() if id_ is not None and id_ != run.id}
    once = list(dict.fromkeys(named.values()))
    found = await asyncio.gather(*(_perhaps(exchange, id_) for id_ in once))
    by_id = dict(zip(once, found, strict=True))
    relatives = {name: by_id[id_] for name, id_ in named.items()}
    present = {name: relative for name, relative in relatives.items() if relative is not None}
    return runs.retrieved(run, exchange.version, present)


async def _perhaps(exchange: Exchange, run_id: str) -> Run | None:
    """A relative; None when it is older than what is kept."""
    try:
        return await ask(exchange, calls.Retrieve(run_id), Run)
    except NotFound:
        return None


def _payload(body: dict[str, Any]) -> str:
    """The payload of a replay, which is encoded text of one of the two JSON types."""
    type_ = body.get("payloadType", packets.JSON)
    text = body["payload"]
    if type_ == packets.JSON and isinstance(text, str):
        return packets.decode_text(text)
    if type_ not in (packets.JSON, packets.SUPER_JSON):
        raise InvalidPayload(f"payloadType must be {packets.JSON} or {packets.SUPER_JSON}.")
    return packets.decode(text, type_)


ROUTES: Final = (
    Route("GET", "/api/v1/runs", page),
    Route("GET", "/api/v3/runs/{run}", retrieve),
    Route("POST", "/api/v2/runs/{run}/cancel", cancel),
    Route("POST", "/api/v1/runs/{run}/replay", replay),
    Route("POST", "/api/v1/runs/{run}/reschedule", reschedule),
    Route("POST", "/api/v1/runs/{run}/tags", add_tags),
    Route("GET", "/api/v1/runs/{run}/result", result),
    Route("GET", "/api/v1/runs/{run}/events", events),
    Route("POST", "/api/v1/idempotencyKeys/{key}/reset", reset_key),
)
