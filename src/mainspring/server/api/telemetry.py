"""Metrics over time, lines of runs, and groups of failed runs."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.server.answers import json
from mainspring.server.asking import ask, covered
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Handler, Route
from mainspring.wire import calls, pages, telemetry as wire
from mainspring.wire.measuring import LineCounts, ListMetrics, MetricList, MetricSeries
from mainspring.wire.moments import iso
from mainspring.wire.observing import ErrorGroup, ErrorPage, FoundLines, GetError, MarkError


async def metrics(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/metrics`: what is measured."""
    return json(await ask(exchange, ListMetrics(), MetricList))


async def metric(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/metrics/{metric}`: one of them over time."""
    wanted = wire.series_wanted(exchange.parameters[0], exchange.query, exchange.clock.now())
    return json(wire.series(await ask(exchange, wanted, MetricSeries)))


async def lines(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/logs`: lines of all runs, the newest first."""
    wanted = wire.lines_wanted(exchange.query, exchange.clock.now())
    return json(wire.lines(await ask(exchange, wanted, FoundLines)))


async def counts(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/logs/counts`: how many there are over time."""
    wanted = wire.counts_wanted(exchange.query, exchange.clock.now())
    return json(wire.counts(await ask(exchange, wanted, LineCounts)))


async def of_run(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/runs/{run}/logs`: the lines of a run, in order."""
    run = await covered(exchange, "read", exchange.parameters[0])
    after = pages.whole(exchange.query, "after", 0, 1 << 40, 0)
    limit = pages.whole(exchange.query, "limit", 1, 1_000, 1_000)
    found = await ask(exchange, calls.ListLogs(run.id, after, limit), calls.LogPage)
    shown = [
        wire.ShownLine(
            run.id, one.seq, iso(one.at), one.level, one.message, data=wire.data(one.data)
        )
        for one in found.lines
    ]
    more = pages.Pagination(str(shown[-1].seq)) if len(shown) == limit else pages.Pagination()
    return json(wire.ShownLines(shown, more))


async def errors(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/errors`: groups of failed runs, the latest first."""
    found = await ask(exchange, wire.errors_wanted(exchange.query), ErrorPage)
    more = pages.Pagination() if found.next is None else pages.Pagination(found.next)
    return json(wire.ShownErrors([wire.error(group) for group in found.groups], more))


async def error(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/errors/{error}`: one group."""
    return json(wire.error(await ask(exchange, GetError(exchange.parameters[0]), ErrorGroup)))


def _marks(status: str) -> Handler:
    async def mark(exchange: Exchange) -> Response:
        """`POST /api/mainspring/v1/errors/{error}/…`: say what is with a group."""
        request = MarkError(exchange.parameters[0], status)
        exchange.note("errors.mark", request.id)
        return json(wire.error(await ask(exchange, request, ErrorGroup)))

    return mark


_ROOT: Final = "/api/mainspring/v1"
_ERROR: Final = f"{_ROOT}/errors/{{error}}"

ROUTES: Final = (
    Route("GET", f"{_ROOT}/metrics", metrics, gives=MetricList),
    Route(
        "GET",
        f"{_ROOT}/metrics/{{metric}}",
        metric,
        asks=wire.SeriesQuery,
        gives=wire.ShownSeries,
    ),
    Route("GET", f"{_ROOT}/logs", lines, asks=wire.LinesQuery, gives=wire.ShownLines),
    Route("GET", f"{_ROOT}/logs/counts", counts, asks=wire.CountsQuery, gives=wire.ShownCounts),
    Route(
        "GET",
        f"{_ROOT}/runs/{{run}}/logs",
        of_run,
        public=True,
        asks=wire.RunLinesQuery,
        gives=wire.ShownLines,
    ),
    Route("GET", f"{_ROOT}/errors", errors, asks=wire.ErrorsQuery, gives=wire.ShownErrors),
    Route("GET", _ERROR, error, gives=wire.ShownError),
    Route("POST", f"{_ERROR}/resolve", _marks("resolved"), gives=wire.ShownError),
    Route("POST", f"{_ERROR}/mute", _marks("muted"), gives=wire.ShownError),
    Route("POST", f"{_ERROR}/reopen", _marks("new"), gives=wire.ShownError),
)
