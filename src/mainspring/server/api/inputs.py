"""What is sent to runs: records of their input streams, and events that they wait for."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.errors import CallerError
from mainspring.server.answers import json
from mainspring.server.api.tasks import ONE
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import calls, plain, trigger_types as types


async def stream(exchange: Exchange) -> Response:
    """`POST /realtime/v1/streams/{run}/input/{stream}`: sends a record to the run."""
    await _send(exchange)
    return json({"ok": True})


async def send(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/runs/{run}/inputs/{stream}`: sends a record, and says its number."""
    return json({"number": (await _send(exchange)).number})


async def emit(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/events/{name}`: ends the waits for that event."""
    body = await exchange.json_or_nothing(ONE)
    if not isinstance(body, dict):
        raise CallerError('Body Error: the body must be an object, with the event as "payload".')
    payload = plain.write(body.get("payload"))
    sent = await ask(exchange, calls.EmitEvent(exchange.parameters[0], payload), calls.Sent)
    return json({"waits": sent.number})


async def _send(exchange: Exchange) -> calls.Sent:
    run_id, name = exchange.parameters
    exchange.allow("write", ("inputStreams", run_id))
    body = await exchange.json(ONE)
    if not isinstance(body, dict) or "data" not in body:
        raise CallerError('Body Error: "data" is missing; give any JSON value.')
    data = plain.write(body["data"], "data")
    request = calls.SendInput(run_id, name, data, exchange.repeat_key)
    return await ask(exchange, request, calls.Sent)


ROUTES: Final = (
    Route(
        "POST",
        "/realtime/v1/streams/{run}/input/{stream}",
        stream,
        public=True,
        takes=types.Sending,
        gives=types.Ok,
    ),
    Route(
        "POST",
        "/api/mainspring/v1/runs/{run}/inputs/{stream}",
        send,
        takes=types.Sending,
        gives=types.Numbered,
    ),
    Route(
        "POST", "/api/mainspring/v1/events/{name}", emit, takes=types.Emitting, gives=types.Emitted
    ),
)
