"""Runs: one, lists of them, and what may be done to one."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from mainspring.errors import CallerError, NotFound
from mainspring.model.run import Run, RunPage, TriggerAnswer
from mainspring.server import covering
from mainspring.server.answers import json
from mainspring.server.api.packets import lighten
from mainspring.server.api.tasks import ONE
from mainspring.server.asking import ask, covered
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import calls, replays, run_types, runs, triggers
from mainspring.wire.filters import run_filter
from mainspring.wire.operating import InspectRun, RunDetail
from mainspring.wire.run_types import Id, RunQuery

LINES: Final = 10_000


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v3/runs/{run}`."""
    run_id = exchange.parameters[0]
    if exchange.caller.scopes is not None:
        await covered(exchange, "read", run_id)
    return json(await _whole(exchange, run_id))


async def page(exchange: Exchange) -> Response:
    """`GET /api/v1/runs`."""
    filter_ = run_filter(exchange.query, exchange.clock.now())
    if not exchange.caller.covers("read", [("runs", ""), ("tasks", "")]):
        tasks = [("tasks", task) for task in filter_.task]
        exchange.allow_all("read", tasks or [("runs", "")])
    found = await ask(exchange, calls.ListRuns(filter_), RunPage)
    env = {"id": exchange.environment_id, "name": exchange.env.slug}
    return json(runs.listed(found, exchange.version, env))


async def of_project(exchange: Exchange) -> Response:
    """`GET /api/v1/projects/{project}/runs`: the same list; `filter[env]` names its environment."""
    filter_ = run_filter(exchange.query, exchange.clock.now(), ("env",))
    slugs = [slug for slug in exchange.query.get("filter[env]", "").split(",") if slug]
    other = [slug for slug in slugs if slug != exchange.env.slug]
    if other:
        raise CallerError(
            f"Query Error: filter[env] names {other[0][:40]!r}; this request sees the runs "
            f"of {exchange.env.slug!r} only. Ask for each environment by itself."
        )
    found = await ask(exchange, calls.ListRuns(filter_), RunPage)
    env = {"id": exchange.environment_id, "name": exchange.env.slug}
    return json(runs.listed(found, exchange.version, env))


async def cancel(exchange: Exchange) -> Response:
    """`POST /api/v2/runs/{run}/cancel`; harmless on a finished run."""
    if exchange.caller.scopes is not None:
        await covered(exchange, "write", exchange.parameters[0])
    run = await ask(exchange, calls.CancelRun(exchange.parameters[0]), Run)
    return json({"id": run.id})


async def replay(exchange: Exchange) -> Response:
    """`POST /api/v1/runs/{run}/replay`, with another payload and other options if given."""
    body = await exchange.json_or_nothing(ONE)
    request = replays.replay(exchange.parameters[0], body, exchange.repeat_key)
    answer = await ask(exchange, request, TriggerAnswer)
    return json({"id": answer.run_id})


async def reschedule(exchange: Exchange) -> Response:
    """`POST /api/v1/runs/{run}/reschedule`."""
    delay_ms, delay_until = triggers.delay(await exchange.json())
    request = calls.RescheduleRun(exchange.parameters[0], delay_ms, delay_until)
    run = await ask(exchange, request, Run)
    return json(await _whole(exchange, run.id))


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
    exchange.allow("write", ("runs", ""))
    body = await exchange.json()
    task = body.get("taskIdentifier") if isinstance(body, dict) else None
    if not isinstance(task, str) or not task or "\0" in task:
        raise CallerError('Body Error: "taskIdentifier" must be the id of a task.')
    await ask(exchange, calls.ResetKey(task, key), TriggerAnswer)
    return json({"id": key})


async def _whole(exchange: Exchange, run_id: str) -> dict[str, Any]:
    """The run with what stands around it."""
    detail = await ask(exchange, InspectRun(run_id), RunDetail)
    found = covering.visible(exchange.caller, detail)
    return await lighten(exchange, found.run, runs.retrieved(found, exchange.version))


ROUTES: Final = (
    Route("GET", "/api/v1/runs", page, public=True, asks=RunQuery, gives=run_types.RunList),
    Route(
        "GET", "/api/v1/projects/{project}/runs", of_project, asks=RunQuery, gives=run_types.RunList
    ),
    Route("GET", "/api/v3/runs/{run}", retrieve, public=True, gives=run_types.WholeRun),
    Route("POST", "/api/v2/runs/{run}/cancel", cancel, public=True, action="cancel", gives=Id),
    Route(
        "POST",
        "/api/v1/runs/{run}/replay",
        replay,
        action="replay",
        takes=run_types.Replay,
        gives=Id,
    ),
    Route(
        "POST",
        "/api/v1/runs/{run}/reschedule",
        reschedule,
        takes=run_types.Delay,
        gives=run_types.WholeRun,
    ),
    Route(
        "POST",
        "/api/v1/runs/{run}/tags",
        add_tags,
        takes=run_types.Tags,
        gives=run_types.Message,
    ),
    Route("GET", "/api/v1/runs/{run}/result", result, gives=run_types.Result),
    Route(
        "POST",
        "/api/v1/idempotencyKeys/{key}/reset",
        reset_key,
        public=True,
        takes=run_types.TaskName,
        gives=Id,
    ),
)
