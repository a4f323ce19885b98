"""The journal of a run, and going on from an entry of it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.model.run import Run, TriggerAnswer
from mainspring.server.answers import json
from mainspring.server.api.tasks import ONE
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import calls, journal, runs, trigger_types as types
from mainspring.wire.operating import RunDetail
from mainspring.wire.run_types import Id, WholeRun


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/runs/{run}/journal`: what the run has behind it."""
    request = calls.ListJournal(exchange.parameters[0])
    return json(journal.journal(await ask(exchange, request, calls.Journal)))


async def restart(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/runs/{run}/restart`: a new run from an entry on."""
    request = journal.restart(exchange.parameters[0], await exchange.json_or_nothing(ONE))
    request.request_key = exchange.repeat_key
    answer = await ask(exchange, request, TriggerAnswer)
    return json({"id": answer.run_id})


async def settle(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/runs/{run}/settle`: go on with a run that has diverged."""
    request = journal.settle(exchange.parameters[0], await exchange.json())
    run = await ask(exchange, request, Run)
    return json(runs.retrieved(RunDetail(run), exchange.version))


ROUTES: Final = (
    Route("GET", "/api/mainspring/v1/runs/{run}/journal", retrieve, gives=types.ShownJournal),
    Route(
        "POST", "/api/mainspring/v1/runs/{run}/restart", restart, takes=types.Restarting, gives=Id
    ),
    Route(
        "POST", "/api/mainspring/v1/runs/{run}/settle", settle, takes=types.Settling, gives=WholeRun
    ),
)
