"""What a worker process asks before it imports anything: its environment's variables."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.server.answers import json
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire.variables import VARIABLES, Given


async def given(exchange: Exchange) -> Response:
    """All values, secrets too: whoever may be a worker may know them."""
    found = await exchange.engine.given(exchange.env)
    return json(found, headers={"cache-control": "no-store"})


ROUTES: Final = (Route("GET", VARIABLES, given, action="write", resource="workers", gives=Given),)
