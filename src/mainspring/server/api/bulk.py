"""Bulk actions: many runs canceled or replayed, told of, aborted."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import bulk, pages
from mainspring.wire.operating import AbortBulk, Bulk, BulkPage, GetBulk, ListBulks
from mainspring.wire.run_types import Id


async def start(exchange: Exchange) -> Response:
    """`POST /api/v1/bulk-actions`."""
    body = await exchange.json()
    request = bulk.started(body, exchange.clock.now(), exchange.repeat_key)
    return json({"id": (await ask(exchange, request, Bulk)).id}, 202)


async def page(exchange: Exchange) -> Response:
    """`GET /api/v1/bulk-actions`."""
    cut = pages.cut(exchange.query)
    request = ListBulks(cut.after, cut.before, cut.size)
    return json(bulk.listed(await ask(exchange, request, BulkPage)))


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v1/bulk-actions/{action}`."""
    return json(bulk.shown(await ask(exchange, GetBulk(exchange.parameters[0]), Bulk)))


async def abort(exchange: Exchange) -> Response:
    """`POST /api/v1/bulk-actions/{action}/abort`; harmless when it has ended."""
    return json({"id": (await ask(exchange, AbortBulk(exchange.parameters[0]), Bulk)).id})


ROUTES: Final = (
    Route("POST", "/api/v1/bulk-actions", start, takes=bulk.NewBulk, gives=Id, status=202),
    Route("GET", "/api/v1/bulk-actions", page, asks=pages.CursorQuery, gives=bulk.BulkList),
    Route("GET", "/api/v1/bulk-actions/{action}", retrieve, gives=bulk.ShownBulk),
    Route("POST", "/api/v1/bulk-actions/{action}/abort", abort, gives=Id),
)
