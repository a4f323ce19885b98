"""Schedules: made, changed, switched, deleted, listed; and the names of time zones."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.model import schedule
from mainspring.model.run import TriggerAnswer
from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import pages, schedules
from mainspring.wire.moments import iso
from mainspring.wire.operating import (
    DeleteSchedule,
    GetSchedule,
    ListSchedules,
    RunSchedule,
    Schedule,
    SchedulePage,
    SwitchSchedule,
    Ticks,
)
from mainspring.wire.run_types import Id
from mainspring.wire.schedules import ShownSchedule


async def create(exchange: Exchange) -> Response:
    """`POST /api/v1/schedules`; a deduplication key that is in use changes its schedule."""
    return _shown(exchange, await ask(exchange, schedules.made(await exchange.json()), Schedule))


async def page(exchange: Exchange) -> Response:
    """`GET /api/v1/schedules`."""
    sheet = pages.sheet(exchange.query)
    request = ListSchedules((sheet.page - 1) * sheet.per_page, sheet.per_page)
    found = await ask(exchange, request, SchedulePage)
    rows = [_view(exchange, one) for one in found.schedules]
    return json(pages.of_count(rows, sheet, found.count))


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v1/schedules/{schedule}`."""
    return _shown(exchange, await ask(exchange, GetSchedule(exchange.parameters[0]), Schedule))


async def update(exchange: Exchange) -> Response:
    """`PUT /api/v1/schedules/{schedule}`."""
    request = schedules.changed(await exchange.json(), exchange.parameters[0])
    return _shown(exchange, await ask(exchange, request, Schedule))


async def delete(exchange: Exchange) -> Response:
    """`DELETE /api/v1/schedules/{schedule}`; its runs stay."""
    request = DeleteSchedule(exchange.parameters[0])
    return json({"id": (await ask(exchange, request, Schedule)).id})


async def activate(exchange: Exchange) -> Response:
    """`POST /api/v1/schedules/{schedule}/activate`."""
    request = SwitchSchedule(exchange.parameters[0], active=True)
    return _shown(exchange, await ask(exchange, request, Schedule))


async def deactivate(exchange: Exchange) -> Response:
    """`POST /api/v1/schedules/{schedule}/deactivate`."""
    request = SwitchSchedule(exchange.parameters[0], active=False)
    return _shown(exchange, await ask(exchange, request, Schedule))


async def run(exchange: Exchange) -> Response:
    """`POST /api/v1/schedules/{schedule}/run`: a run as of a tick that is now."""
    answer = await ask(exchange, RunSchedule(exchange.parameters[0]), TriggerAnswer)
    return json({"id": answer.run_id})


async def next_ticks(exchange: Exchange) -> Response:
    """`GET /api/v1/schedules/{schedule}/next`."""
    request = schedules.ticks_asked(exchange.query, exchange.parameters[0])
    found = await ask(exchange, request, Ticks)
    return json({"data": list(map(iso, found.at))})


async def timezones(exchange: Exchange) -> Response:
    """`GET /api/v1/timezones`, UTC first unless it is excluded."""
    without = exchange.query.get("excludeUtc") == "true"
    return json({"timezones": schedule.zones()[1 if without else 0 :]})


def _view(exchange: Exchange, found: Schedule) -> ShownSchedule:
    return schedules.shown(found, exchange.environment_id, exchange.env.slug)


def _shown(exchange: Exchange, found: Schedule) -> Response:
    return json(_view(exchange, found))


_ONE: Final = "/api/v1/schedules/{schedule}"

ROUTES: Final = (
    Route("POST", "/api/v1/schedules", create, takes=schedules.NewSchedule, gives=ShownSchedule),
    Route(
        "GET",
        "/api/v1/schedules",
        page,
        asks=pages.NumberQuery,
        gives=schedules.ScheduleList,
    ),
    Route("GET", _ONE, retrieve, gives=ShownSchedule),
    Route("PUT", _ONE, update, takes=schedules.ScheduleChange, gives=ShownSchedule),
    Route("DELETE", _ONE, delete, gives=Id),
    Route("POST", f"{_ONE}/activate", activate, gives=ShownSchedule),
    Route("POST", f"{_ONE}/deactivate", deactivate, gives=ShownSchedule),
    Route("POST", f"{_ONE}/run", run, gives=Id),
    Route("GET", f"{_ONE}/next", next_ticks, asks=schedules.TickQuery, gives=schedules.TickList),
    Route("GET", "/api/v1/timezones", timezones, open=True, gives=schedules.Timezones),
)
