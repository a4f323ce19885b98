"""The environment as a whole: pause and limit it; the branches of `preview`."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import environments, queues
from mainspring.wire.environments import (
    ArchiveEnvironment,
    BranchList,
    EnvironmentState,
    GetEnvironment,
    ListBranches,
    ShownBranches,
    ShownEnvironment,
)
from mainspring.wire.operating import PauseEnvironment


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/environment`."""
    return json(environments.shown(await ask(exchange, GetEnvironment(), EnvironmentState)))


async def pause(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/environment/pause`: pause or resume; runs that execute go on."""
    request = PauseEnvironment(queues.pausing(await exchange.json()))
    return json(environments.shown(await ask(exchange, request, EnvironmentState)))


async def limit(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/environment/limits`: how many runs it may have at once."""
    request = environments.limits(await exchange.json())
    return json(environments.shown(await ask(exchange, request, EnvironmentState)))


async def archive(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/environment/archive`: end a branch of `preview` for good."""
    return json(environments.shown(await ask(exchange, ArchiveEnvironment(), EnvironmentState)))


async def branches(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/branches`."""
    found = await ask(exchange, ListBranches(), BranchList)
    return json(ShownBranches(found.branches))


async def create(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/branches`: make a branch, if there is none of that name."""
    request = environments.branch(await exchange.json())
    return json(environments.shown(await ask(exchange, request, EnvironmentState)))


_ONE: Final = "/api/mainspring/v1/environment"
_BRANCHES: Final = "/api/mainspring/v1/branches"

ROUTES: Final = (
    Route("GET", _ONE, retrieve, resource="queues", gives=ShownEnvironment),
    Route(
        "POST",
        f"{_ONE}/pause",
        pause,
        resource="queues",
        takes=queues.Pausing,
        gives=ShownEnvironment,
    ),
    Route(
        "POST",
        f"{_ONE}/limits",
        limit,
        resource="queues",
        takes=environments.Limits,
        gives=ShownEnvironment,
    ),
    Route("POST", f"{_ONE}/archive", archive, resource="deployments", gives=ShownEnvironment),
    Route("GET", _BRANCHES, branches, resource="deployments", gives=ShownBranches),
    Route(
        "POST",
        _BRANCHES,
        create,
        resource="deployments",
        takes=environments.NewBranch,
        gives=ShownEnvironment,
    ),
)
