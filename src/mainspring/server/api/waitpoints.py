"""Wait tokens: made, listed, shown, completed with a key or by whoever was told the address."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.errors import CallerError
from mainspring.model.key import key_hash
from mainspring.model.run import PAYLOAD_LIMIT
from mainspring.server import answers
from mainspring.server.answers import json
from mainspring.server.api.tasks import ONE
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.guard import Refusal
from mainspring.server.routes import Route
from mainspring.wire import calls, plain, tokens, waitpoints
from mainspring.wire.filters import token_filter

DAY_S: Final = 86_400


async def create(exchange: Exchange) -> Response:
    """`POST /api/v1/waitpoints/tokens`."""
    request = waitpoints.create(await exchange.json_or_nothing())
    token = await ask(exchange, request, calls.Token)
    headers = {}
    if exchange.header("trigger-version") is not None:
        signed = tokens.token(
            exchange.signing_key,
            exchange.environment_id,
            (f"write:waitpoints:{token.id}",),
            exchange.clock.now() // 1000,
            DAY_S,
        )
        headers[tokens.HEADER] = signed
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
    """The address that completes a token, as it is seen from where the request came from."""
    scheme = exchange.header("x-forwarded-proto")
    if scheme not in ("http", "https"):
        scheme = exchange.scope["scheme"]
    key = (exchange.header("authorization") or "").partition(" ")[2].strip()
    path = waitpoints.callback_path(key_hash(key), token_id)
    return f"{scheme}://{exchange.header('host')}{path}"


ROUTES: Final = (
    Route("POST", "/api/v1/waitpoints/tokens", create),
    Route("GET", "/api/v1/waitpoints/tokens", page),
    Route("GET", "/api/v1/waitpoints/tokens/{token}", retrieve),
    Route("POST", "/api/v1/waitpoints/tokens/{token}/complete", complete),
    Route("POST", "/api/v1/waitpoints/tokens/{token}/callback/{hash}", callback, by_callback=True),
)
