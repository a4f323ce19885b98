"""Deployments: the versions of the tasks, shown, promoted and rolled back."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.errors import NotFound
from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import deployments, variables
from mainspring.wire.deploying import Promote, Rollback
from mainspring.wire.operating import (
    CurrentDeployment,
    Deployment,
    DeploymentPage,
    ListDeployments,
)


async def page(exchange: Exchange) -> Response:
    """`GET /api/v1/deployments`."""
    exchange.allow("read", ("deployments", ""))
    wanted = deployments.wanted(exchange.query, exchange.clock.now())
    found = DeploymentPage([]) if wanted is None else await ask(exchange, wanted, DeploymentPage)
    return json(deployments.listed(found))


async def current(exchange: Exchange) -> Response:
    """`GET /api/v1/deployments/current`: the version that new runs get."""
    exchange.allow("read", ("deployments", "current"))
    return json(deployments.shown(await ask(exchange, CurrentDeployment(), Deployment)))


async def latest(exchange: Exchange) -> Response:
    """`GET /api/v1/deployments/latest`: the newest, promoted or not."""
    exchange.allow("read", ("deployments", "latest"))
    page = await ask(exchange, ListDeployments(limit=1), DeploymentPage)
    if not page.deployments:
        raise NotFound("No version of the tasks was deployed or announced by a worker here yet.")
    return json(deployments.shown(page.deployments[0]))


async def promote(exchange: Exchange) -> Response:
    """`POST /api/v1/deployments/{deployment}/promote`: new runs get it from now on."""
    name = exchange.parameters[0]
    exchange.note("deployments.promote", name)
    return json(deployments.promoted(await ask(exchange, Promote(name), Deployment)))


async def rollback(exchange: Exchange) -> Response:
    """`POST /api/v1/deployments/rollback`: new runs get the one before the current one."""
    made = await ask(exchange, Rollback(), Deployment)
    exchange.note("deployments.rollback", made.version)
    return json(deployments.promoted(made))


async def clear(exchange: Exchange) -> Response:
    """`DELETE /api/v1/deployments/current`: any worker takes new runs again."""
    await ask(exchange, Promote(""), Deployment)
    return json(variables.Success())


_CURRENT: Final = "/api/v1/deployments/current"
ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/deployments",
        page,
        public=True,
        asks=deployments.DeploymentQuery,
        gives=deployments.DeploymentList,
    ),
    Route(
        "GET",
        _CURRENT,
        current,
        public=True,
        gives=deployments.ShownDeployment,
    ),
    Route("DELETE", _CURRENT, clear, gives=variables.Success),
    Route(
        "GET",
        "/api/v1/deployments/latest",
        latest,
        public=True,
        gives=deployments.ShownDeployment,
    ),
    Route(
        "POST",
        "/api/v1/deployments/{deployment}/promote",
        promote,
        gives=deployments.PromotedDeployment,
    ),
    Route(
        "POST",
        "/api/v1/deployments/rollback",
        rollback,
        gives=deployments.PromotedDeployment,
    ),
)
