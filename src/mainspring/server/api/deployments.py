"""Deployments: the versions of the tasks, deployed or announced by workers."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import deployments
from mainspring.wire.operating import CurrentDeployment, Deployment, DeploymentPage


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
        "/api/v1/deployments/current",
        current,
        public=True,
        gives=deployments.ShownDeployment,
    ),
)
