"""The environment as a whole: pause it, and let it go on."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import queues
from mainspring.wire.operating import EnvironmentState, PauseEnvironment


async def pause(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/environment/pause`: pause or resume; runs that execute go on."""
    request = PauseEnvironment(queues.pausing(await exchange.json()))
    found = await ask(exchange, request, EnvironmentState)
    return json(queues.environment(found))


ROUTES: Final = (
    Route(
        "POST",
        "/api/mainspring/v1/environment/pause",
        pause,
        resource="queues",
        takes=queues.Pausing,
        gives=queues.ShownEnvironment,
    ),
)
