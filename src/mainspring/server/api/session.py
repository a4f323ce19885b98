"""Signing in to the dashboard and out of it, by token, key or password, and who is signed in."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from mainspring import __version__
from mainspring.errors import CallerError, Forbidden, Unauthorized
from mainspring.model.key import SESSION
from mainspring.server.answers import json
from mainspring.server.auth import ENVIRONMENT, Keys
from mainspring.server.exchange import Exchange
from mainspring.server.passwords import Passwords
from mainspring.server.peoplebook import PeopleBook
from mainspring.server.routes import Handler, Route
from mainspring.server.session import Sessions, check_own

PATH: Final = "/api/mainspring/v1/session"
SESSION_MS: Final = 30 * 86_400_000


class Reach(Struct):
    """An environment, and the role there of a person."""

    slug: str
    role: str | UnsetType = UNSET


class Session(Struct, rename="camel"):
    """Who is signed in. `dev`: this server lets a browser on its own machine in. `first`: nobody is
    known here yet, and who has a secret key may become the first admin.
    """

    signed_in: bool
    dev: bool
    release: str
    name: str | UnsetType = UNSET
    environment: str | UnsetType = UNSET
    environments: list[Reach] = []
    first: bool = False


def routes(keys: Keys, sessions: Sessions, passwords: Passwords) -> tuple[Route, ...]:
    """The routes over these keys and sessions."""
    door = _Door(keys, sessions, passwords)
    handlers: list[tuple[str, str, Handler]] = [
        ("GET", PATH, door.show),
        ("POST", PATH, door.begin),
        ("DELETE", PATH, door.end),
        ("POST", f"{PATH}/password", door.set_password),
        ("POST", f"{PATH}/first", door.begin_first),
    ]
    if sessions.has_dev:
        handlers.append(("POST", f"{PATH}/dev", door.begin_here))
    return tuple(
        Route(method, path, handler, open=True, gives=Session) for method, path, handler in handlers
    )


class _Door:
    """Lets people in and out."""

    def __init__(self, keys: Keys, sessions: Sessions, passwords: Passwords) -> None:
        self._keys = keys
        self._sessions = sessions
        self._passwords = passwords
        self._peopled = False

    async def show(self, exchange: Exchange) -> Response:
        """`GET /api/mainspring/v1/session`: answers 200 to strangers too."""
        try:
            header = exchange.header("authorization")
            header = self._sessions.authorization(exchange.scope, header)
            return json(await self._told(exchange, header))
        except Unauthorized:
            return json(await self._told(exchange, None))

    async def begin(self, exchange: Exchange) -> Response:
        """`POST /api/mainspring/v1/session` `{"token"}`, a personal token or a secret key, or
        `{"name", "password"}`.
        """
        check_own(exchange.scope)
        wanted = await _fields(exchange)
        if "password" in wanted:
            name, password = _text(wanted, "name"), _text(wanted, "password")
            return await self._enter(exchange, await self._proved(exchange, name, password))
        return await self._enter(exchange, _text(wanted, "token"))

    async def set_password(self, exchange: Exchange) -> Response:
        """`POST /api/mainspring/v1/session/password` `{"password", "old"?}`: of the person who is
        signed in. One that has a password gives it too.
        """
        check_own(exchange.scope)
        wanted = await _fields(exchange)
        person = await self._person(exchange)
        known = await exchange.engine.access.people.password(person)
        if known is not None and known[1]:
            await self._check(exchange, person, str(wanted.get("old") or ""), known[1])
        hashed = await self._passwords.hashed(_text(wanted, "password"))
        await _book(exchange, f"person {person}").set_password(person, hashed)
        return await self.show(exchange)

    async def begin_first(self, exchange: Exchange) -> Response:
        """`POST /api/mainspring/v1/session/first` `{"token", "name", "password"}`: with a secret
        key that covers everything the first person of this server, an admin of its environment.
        """
        check_own(exchange.scope)
        wanted = await _fields(exchange)
        name = _text(wanted, "name")
        admitted = await self._keys.admit(f"Bearer {_text(wanted, 'token')}")
        if admitted.caller.kind != "key" or admitted.caller.scopes is not None:
            raise Forbidden("Unauthorized: the first person needs a key that covers everything.")
        if await exchange.engine.access.people.members():
            raise Forbidden(
                "Unauthorized: there are people here already. Ask an admin for a personal token: "
                "mainspring people add."
            )
        hashed = await self._passwords.hashed(_text(wanted, "password"))
        book = _book(exchange, admitted.caller.name)
        await book.make(name, "admin", admitted.env)
        await book.set_password(name, hashed)
        return await self._enter(exchange, await self._session_of(exchange, name))

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
        credential = self._sessions.credential(exchange.scope)
        if credential is not None and credential.startswith(SESSION):
            await exchange.engine.access.people.end_token(exchange.pepper.stored(credential))
        told = await self._told(exchange, None)
        return json(told, headers={"set-cookie": self._sessions.end(exchange.scope)})

    async def _is_new(self, exchange: Exchange) -> bool:
        """Whether nobody is known; that somebody is stays so, and is asked once."""
        if not self._peopled:
            self._peopled = bool(await exchange.engine.access.people.members())
        return not self._peopled

    async def _enter(self, exchange: Exchange, credential: str) -> Response:
        told = await self._told(exchange, f"Bearer {credential}")
        cookie = self._sessions.cookie(exchange.scope, credential)
        return json(told, headers={"set-cookie": cookie})

    async def _proved(self, exchange: Exchange, name: str, password: str) -> str:
        """The credential of a new session. Raises: Unauthorized, the same for an unknown name."""
        people = exchange.engine.access.people
        known = await people.password(name) if name.isprintable() else None  # others nobody has
        await self._check(exchange, name, password, known[1] if known is not None else "")
        return await self._session_of(exchange, name)

    async def _check(self, exchange: Exchange, name: str, password: str, stored: str) -> None:
        address = (exchange.scope.get("client") or ("",))[0]
        if not await self._passwords.fits(name, address, password, stored or None):
            raise Unauthorized("The name or the password is not right.")

    async def _session_of(self, exchange: Exchange, name: str) -> str:
        """A personal token that is nothing but a session, and ends by itself."""
        ends = exchange.clock.now() + SESSION_MS
        return await _book(exchange, f"person {name}").session(name, ends)

    async def _person(self, exchange: Exchange) -> str:
        header = self._sessions.authorization(exchange.scope, exchange.header("authorization"))
        slugs = await self._keys.reach(header) if header is not None else []
        caller = (await self._keys.admit(header, slugs[0][0])).caller if slugs else None
        if caller is None or caller.kind != "person":
            raise Forbidden("Unauthorized: a password belongs to a person; sign in as one.")
        return caller.name.removeprefix("person ")

    async def _told(self, exchange: Exchange, header: str | None) -> Session:
        """Who that is. Raises: Unauthorized, Forbidden."""
        found = Session(False, self._sessions.opens(exchange.scope), __version__)
        if header is None:
            found.first = not found.dev and await self._is_new(exchange)
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


async def _fields(exchange: Exchange) -> dict[str, Any]:
    wanted = await exchange.json()
    return wanted if isinstance(wanted, dict) else {}


def _text(wanted: dict[str, Any], name: str) -> str:
    value = wanted.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CallerError(
            f"{name} is missing. Send token, which is a personal token or a secret key, or name "
            "and password."
        )
    return value if name == "password" else value.strip()


def _book(exchange: Exchange, who: str) -> PeopleBook:
    return PeopleBook(exchange.engine.access, exchange.pepper, exchange.clock.now(), who)
