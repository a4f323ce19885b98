"""The metadata of a run: read it, change it."""

from __future__ import annotations

from typing import Final

from msgspec import Raw
from starlette.responses import Response

from mainspring.model.limits import METADATA_LIMIT
from mainspring.model.run import Run
from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import calls, metadata, trigger_types as types

BODY: Final = 4 * METADATA_LIMIT


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v1/runs/{run}/metadata`: as text, left out when there is none."""
    run = await ask(exchange, calls.Retrieve(exchange.parameters[0]), Run)
    shown = {} if run.metadata is None else {"metadata": run.metadata}
    return json(shown | {"metadataType": "application/json"})


async def change(exchange: Exchange) -> Response:
    """`PUT /api/v1/runs/{run}/metadata`: changes its metadata, all or none."""
    ops = metadata.changes(await exchange.json(BODY))
    request = calls.UpdateMetadata(exchange.parameters[0], ops, exchange.repeat_key)
    run = await ask(exchange, request, Run)
    return json({"metadata": Raw((run.metadata or "{}").encode())})


ROUTES: Final = (
    Route("GET", "/api/v1/runs/{run}/metadata", retrieve, gives=types.MetadataText),
    Route(
        "PUT",
        "/api/v1/runs/{run}/metadata",
        change,
        takes=types.MetadataChange,
        gives=types.MetadataNow,
    ),
)
