"""What happened in a run: its trace as a tree or by pages, and one span of it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.server import covering
from mainspring.server.answers import json
from mainspring.server.asking import ask, covered
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import traces
from mainspring.wire.operating import Trace, TraceRun


async def trace(exchange: Exchange) -> Response:
    """`GET /api/v1/runs/{run}/trace`; with `page[size]` or `page[after]` by pages."""
    run = await covered(exchange, "read", exchange.parameters[0])
    found = covering.traced(exchange.caller, await ask(exchange, TraceRun(run.id), Trace))
    now = exchange.clock.now()
    if traces.is_paged(exchange.query):
        return json(traces.page(found, exchange.query, now))
    return json(traces.tree(found, now))


async def span(exchange: Exchange) -> Response:
    """`GET /api/v1/runs/{run}/spans/{span}`."""
    run = await covered(exchange, "read", exchange.parameters[0])
    found = await ask(exchange, TraceRun(run.id, exchange.parameters[1]), Trace)
    if found.spans[0].run_id != run.id:
        await covered(exchange, "read", found.spans[0].run_id)
    found = covering.traced(exchange.caller, found)
    return json(traces.detail(found, exchange.clock.now(), exchange.version))


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/runs/{run}/trace",
        trace,
        public=True,
        asks=traces.TraceQuery,
        gives=traces.TraceAnswer,
    ),
    Route("GET", "/api/v1/runs/{run}/spans/{span}", span, public=True, gives=traces.SpanDetail),
)
