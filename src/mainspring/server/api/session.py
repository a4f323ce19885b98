"""Signing in to the dashboard and out of it, and who is signed in."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from mainspring import __version__
from mainspring.errors import CallerError, Forbidden, Unauthorized
from mainspring.server.answers import json
from mainspring.server.auth import ENVIRONMENT, Keys
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Handler, Route
from mainspring.server.session import Sessions, check_own

PATH: Final = "/api/mainspring/v1/session"


class Reach(Struct):
    """An environment, and the role there of a person."""

    slug: str
    role: str | UnsetType = UNSET


class Session(Struct, rename="camel"):
    """Who is signed in. `dev`: this server lets a browser on its own machine in."""

    signed_in: bool
    dev: bool
    release: str
    name: str | UnsetType = UNSET
    environment: str | UnsetType = UNSET
    environments: list[Reach] = []


def routes(keys: Keys, sessions: Sessions) -> tuple[Route, ...]:
    """The routes over these keys and sessions."""
    door = _Door(keys, sessions)
    handlers: list[tuple[str, str, Handler]] = [
        ("GET", PATH, door.show),
        ("POST", PATH, door.begin),
        ("DELETE", PATH, door.end),
    ]
    if sessions.has_dev:
        handlers.append(("POST", f"{PATH}/dev", door.begin_here))
    return tuple(
        Route(method, path, handler, open=True, gives=Session) for method, path, handler in handlers
    )


class _Door:
    """Lets people in and out."""

    def __init__(self, keys: Keys, sessions: Sessions) -> None:
        self._keys = keys
        self._sessions = sessions

    async def show(self, exchange: Exchange) -> Response:
        """`GET /api/mainspring/v1/session`: answers 200 to strangers too."""
        try:
            header = exchange.header("authorization")
            header = self._sessions.authorization(exchange.scope, header)
            return json(await self._told(exchange, header))
        except Unauthorized:
            return json(await self._told(exchange, None))

    async def begin(self, exchange: Exchange) -> Response:
        """`POST /api/mainspring/v1/session` `{"token"}`: a personal token or a secret key."""
        check_own(exchange.scope)
        wanted = await exchange.json()
        token = wanted.get("token") if isinstance(wanted, dict) else None
        if not isinstance(token, str) or not token.strip():
            raise CallerError("Send the token to sign in with: a personal one or a secret key.")
        told = await self._told(exchange, f"Bearer {token.strip()}")
        cookie = self._sessions.cookie(exchange.scope, token.strip())
        return json(told, headers={"set-cookie": cookie})

    async def begin_here(self, exchange: Exchange) -> Response:
        """`POST /api/mainspring/v1/session/dev`: nothing to type in, on the developer's machine."""
        check_own(exchange.scope)
        if not self._sessions.opens(exchange.scope):
            raise Unauthorized("This server wants a sign-in: a personal token or a secret key.")
        told = await self._told(exchange, self._sessions.dev_header())
        return json(told, headers={"set-cookie": self._sessions.cookie(exchange.scope)})

    async def end(self, exchange: Exchange) -> Response:
        """`DELETE /api/mainspring/v1/session`."""
        check_own(exchange.scope)
        told = await self._told(exchange, None)
        return json(told, headers={"set-cookie": self._sessions.end(exchange.scope)})

    async def _told(self, exchange: Exchange, header: str | None) -> Session:
        """Who that is. Raises: Unauthorized, Forbidden."""
        found = Session(False, self._sessions.opens(exchange.scope), __version__)
        if header is None:
            return found
        reached = await self._keys.reach(header)
        slugs = [slug for slug, _ in reached]
        if not slugs:
            raise Forbidden("Unauthorized: you have no role in any environment of this server.")
        wanted = exchange.header(ENVIRONMENT)
        found.environment = wanted if wanted in slugs else slugs[0]
        found.environments = [Reach(slug, role or UNSET) for slug, role in reached]
        admitted = await self._keys.admit(header, found.environment)
        if admitted.caller.kind == "token":
            raise Unauthorized("A public token opens no session: use a personal one, or a key.")
        found.signed_in, found.name = True, admitted.caller.name
        return found
