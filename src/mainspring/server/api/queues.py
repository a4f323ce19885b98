"""Queues: how they stand, pause and resume, and the limit that people set."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import calls, pages, queues
from mainspring.wire.queues import ShownQueue


async def page(exchange: Exchange) -> Response:
    """`GET /api/v1/queues`."""
    sheet = pages.sheet(exchange.query)
    found = await ask(exchange, calls.ListQueues(), calls.QueueList)
    rows = [queues.queue(queue) for queue in sorted(found.queues, key=lambda queue: queue.name)]
    return json(pages.by_number(rows, sheet))


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v1/queues/{queue}`."""
    return json(queues.queue(await _named(exchange, exchange.query.get("type", "id"))))


async def pause(exchange: Exchange) -> Response:
    """`POST /api/v1/queues/{queue}/pause`: pause or resume."""
    body = await exchange.json()
    paused = queues.pausing(body)
    queue = await _named(exchange, queues.kind(body))
    return await _changed(exchange, calls.PauseQueue(queue.name, paused))


async def override(exchange: Exchange) -> Response:
    """`POST /api/v1/queues/{queue}/concurrency/override`."""
    body = await exchange.json()
    limit, percent = queues.limit(body)
    queue = await _named(exchange, queues.kind(body))
    return await _changed(exchange, calls.SetQueue(queue.name, limit, percent=percent))


async def reset(exchange: Exchange) -> Response:
    """`POST /api/v1/queues/{queue}/concurrency/reset`: back to the code's own limit."""
    queue = await _named(exchange, queues.kind(await exchange.json_or_nothing()))
    return await _changed(exchange, calls.SetQueue(queue.name, reset=True))


async def _named(exchange: Exchange, type_: str) -> calls.Queue:
    found = await ask(exchange, calls.ListQueues(), calls.QueueList)
    return queues.named(found.queues, exchange.parameters[0], type_)


async def _changed(exchange: Exchange, request: calls.PauseQueue | calls.SetQueue) -> Response:
    return json(queues.queue(await ask(exchange, request, calls.Queue)))


_ONE: Final = "/api/v1/queues/{queue}"

ROUTES: Final = (
    Route("GET", "/api/v1/queues", page, asks=pages.NumberQuery, gives=queues.QueueList),
    Route("GET", _ONE, retrieve, asks=queues.Naming, gives=ShownQueue),
    Route("POST", f"{_ONE}/pause", pause, takes=queues.Pausing, gives=ShownQueue),
    Route(
        "POST",
        f"{_ONE}/concurrency/override",
        override,
        takes=queues.Override,
        gives=ShownQueue,
    ),
    Route("POST", f"{_ONE}/concurrency/reset", reset, takes=queues.Naming, gives=ShownQueue),
)
