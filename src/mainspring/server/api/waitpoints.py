"""Wait tokens: made, listed, shown, completed with a key or by whoever was told the address."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.errors import CallerError
from mainspring.model.run import PAYLOAD_LIMIT
from mainspring.server import answers
from mainspring.server.answers import json
from mainspring.server.api.tasks import ONE
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.guard import Refusal
from mainspring.server.routes import Route
from mainspring.wire import calls, plain, token_types as types, tokens, waitpoints
from mainspring.wire.filters import token_filter
from mainspring.wire.variables import Success


async def create(exchange: Exchange) -> Response:
    """`POST /api/v1/waitpoints/tokens`."""
    request = waitpoints.create(await exchange.json_or_nothing())
    token = await ask(exchange, request, calls.Token)
    headers = exchange.token_headers((f"write:waitpoints:{token.id}",), tokens.DAY_S)
    body = {"id": token.id, "isCached": token.cached, "url": _url(exchange, token.id)}
    return json(body, headers=headers)


async def page(exchange: Exchange) -> Response:
    """`GET /api/v1/waitpoints/tokens`."""
    wanted = token_filter(exchange.query, exchange.clock.now())
    found = await ask(exchange, wanted, calls.TokenPage)
    return json(waitpoints.listed(found, [_url(exchange, token.id) for token in found.tokens]))


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v1/waitpoints/tokens/{token}`."""
    token = await ask(exchange, calls.GetToken(exchange.parameters[0]), calls.Token)
    return json(waitpoints.retrieved(token, _url(exchange, token.id)))


async def complete(exchange: Exchange) -> Response:
    """`POST /api/v1/waitpoints/tokens/{token}/complete`; the first one wins, all succeed."""
    exchange.allow("write", ("waitpoints", exchange.parameters[0]))
    output = waitpoints.completion(await exchange.json_or_nothing(ONE))
    await ask(exchange, calls.CompleteToken(exchange.parameters[0], output), calls.Token)
    return json({"success": True})


async def callback(exchange: Exchange) -> Response:
    """`POST /api/v1/waitpoints/tokens/{token}/callback/{hash}`: the body is the output."""
    if exchange.header("content-length") is None:
        return answers.refused(Refusal(411, "The request must say how long its body is."))
    data = await exchange.body(PAYLOAD_LIMIT)
    try:
        value = plain.read(data, "body") if data.strip() else {}
    except CallerError:
        value = {}  # whoever calls may speak no JSON at all; that they called is what counts
    request = calls.CompleteToken(exchange.parameters[0], plain.write(value, "body"))
    await ask(exchange, request, calls.Token)
    return json({"success": True})


def _url(exchange: Exchange, token_id: str) -> str:
    """The address that completes a token, as it is seen from where the request came from. Who may
    not complete it is told the one that asks for a key.
    """
    if not exchange.caller.can("write", "waitpoints"):
        return f"{exchange.origin}/api/v1/waitpoints/tokens/{token_id}/complete"
    key = exchange.pepper.callback(exchange.env.env_id)
    return exchange.origin + waitpoints.callback_path(key, token_id)


ROUTES: Final = (
    Route(
        "POST", "/api/v1/waitpoints/tokens", create, takes=types.NewToken, gives=types.MadeWaitToken
    ),
    Route("GET", "/api/v1/waitpoints/tokens", page, asks=types.TokenQuery, gives=types.TokenList),
    Route("GET", "/api/v1/waitpoints/tokens/{token}", retrieve, gives=types.WholeToken),
    Route(
        "POST",
        "/api/v1/waitpoints/tokens/{token}/complete",
        complete,
        public=True,
        takes=types.Completion,
        gives=Success,
    ),
    Route(
        "POST",
        "/api/v1/waitpoints/tokens/{token}/callback/{hash}",
        callback,
        by_callback=True,
        gives=Success,
    ),
)
