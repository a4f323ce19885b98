"""Public tokens: made by whoever holds a secret key, for browsers and others that must not."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.errors import CallerError, Forbidden
from mainspring.model import scope
from mainspring.server.answers import json
from mainspring.server.exchange import Exchange
from mainspring.server.routes import ASKED, Route
from mainspring.wire import access, tokens
from mainspring.wire.access import MadeToken, MakeJwt, MakeToken, TokenClaims

_COLUMNS: Final = 100


async def claims(exchange: Exchange) -> Response:
    """`POST /api/v1/auth/jwt/claims`: what SDKs put into tokens that they sign themselves."""
    _only_keys(exchange)
    return json(TokenClaims(exchange.environment_id))


async def jwt(exchange: Exchange) -> Response:
    """`POST /api/v1/auth/jwt`."""
    _only_keys(exchange)
    wanted = access.read(await exchange.json_or_nothing(), MakeJwt)
    scopes = wanted.claims.scopes if wanted.claims else []
    life_s = access.life_s(
        wanted.expiration_time, exchange.clock.now() // 1000, usual=tokens.HOUR_S
    )
    return _refused(exchange, scopes) or json(_made(exchange, scopes, life_s))


async def public(exchange: Exchange) -> Response:
    """`POST /api/v1/auth/public-tokens`."""
    _only_keys(exchange)
    wanted = access.read(await exchange.json(), MakeToken)
    life_s = access.life_s(wanted.expiration_time, exchange.clock.now() // 1000)
    columns = None
    if wanted.realtime:
        columns = wanted.realtime.skip_columns or []
        if len(columns) > _COLUMNS:
            raise CallerError(f"Body Error: realtime.skipColumns: at most {_COLUMNS}.")
    refused = _refused(exchange, wanted.scopes)
    if refused is not None:
        return refused
    made = _made(exchange, wanted.scopes, life_s, once=wanted.one_time_use, skip_columns=columns)
    if len(made.token) > tokens.LENGTH:
        raise CallerError("Body Error: so many scopes make a token that is too long to be sent.")
    return json(made)


def _made(
    exchange: Exchange,
    scopes: list[str],
    life_s: int,
    *,
    once: bool = False,
    skip_columns: list[str] | None = None,
) -> MadeToken:
    return MadeToken(
        tokens.token(
            exchange.signing_key,
            exchange.environment_id,
            scopes,
            exchange.clock.now() // 1000,
            life_s,
            made_by=exchange.caller.key_id,
            once=once,
            skip_columns=skip_columns,
        )
    )


def _only_keys(exchange: Exchange) -> None:
    """A token makes no tokens, or it would never end; neither does a person, whose roles may."""
    if exchange.caller.kind != "key":
        raise Forbidden("Unauthorized: public tokens are made with a secret key.")


def _refused(exchange: Exchange, scopes: list[str]) -> Response | None:
    """The answer when the scopes are none, or more than the key's own."""
    if not 0 < len(scopes) <= scope.MOST or not all(
        0 < len(one) <= scope.LONGEST and "\0" not in one for one in scopes
    ):
        raise CallerError(
            f"Body Error: scopes: expected 1 to {scope.MOST} texts such as read:runs:run_…, each "
            f"with {scope.LONGEST} characters at most."
        )
    granted = exchange.caller.scopes
    denied = [one for one in scopes if not scope.within(one, granted)]
    if not denied:
        return None
    body = {
        "error": "Requested scopes exceed the API key's access",
        "code": "scopes_exceed_key_access",
        "deniedScopes": denied,
    }
    return json(body, 403, {"x-should-retry": "false"})


ROUTES: Final = (
    Route("POST", "/api/v1/auth/jwt/claims", claims, resource=ASKED, gives=TokenClaims),
    Route("POST", "/api/v1/auth/jwt", jwt, resource=ASKED, takes=MakeJwt, gives=MadeToken),
    Route(
        "POST",
        "/api/v1/auth/public-tokens",
        public,
        resource=ASKED,
        takes=MakeToken,
        gives=MadeToken,
    ),
)
