"""The server as one ASGI application: edge, routes, health, the link of workers. Assembles only."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from mainspring.clock import Clock, SystemClock
from mainspring.errors import CallerError, NotFound
from mainspring.model.audit import Entry
from mainspring.model.branch import PREVIEW, slug_of
from mainspring.model.pepper import Pepper
from mainspring.server import answers
from mainspring.server.api import (
    auth,
    batches,
    bulk,
    call,
    deploying,
    deployments,
    description,
    environment,
    envvars,
    inputs,
    journal,
    keys,
    metadata,
    metrics,
    otlp,
    packets,
    pages,
    plain,
    queues,
    runs,
    schedules,
    session,
    tasks,
    telemetry,
    trace,
    unbuilt,
    waitpoints,
)
from mainspring.server.auth import BRANCH, ENVIRONMENT, Keys
from mainspring.server.budget import Budget
from mainspring.server.caller import Admitted, Caller, nobody
from mainspring.server.edge import Edge
from mainspring.server.exchange import Exchange
from mainspring.server.guard import LOOPBACK, Hosts, Refusal
from mainspring.server.leases import Credential, Leases
from mainspring.server.measured import Measured
from mainspring.server.passwords import Passwords
from mainspring.server.port import EnginePort
from mainspring.server.realtime import events, shapes, streams
from mainspring.server.realtime.socket import (
    PATH as SOCKET,
    authorization,
    environment_of,
    serve_subscriber,
)
from mainspring.server.routes import ASKED, Route, Routes
from mainspring.server.session import Sessions
from mainspring.server.watch.hub import Hub
from mainspring.server.worker_api import beats, variables
from mainspring.server.worker_api.link import END_S, serve_link
from mainspring.settings.values import ServerSettings
from mainspring.wire.beats import LINK

API: Final = (
    *tasks.ROUTES,
    *batches.ROUTES,
    *runs.ROUTES,
    *queues.ROUTES,
    *bulk.ROUTES,
    *schedules.ROUTES,
    *deployments.ROUTES,
    *deploying.ROUTES,
    *trace.ROUTES,
    *telemetry.ROUTES,
    *otlp.ROUTES,
    *environment.ROUTES,
    *metadata.ROUTES,
    *waitpoints.ROUTES,
    *inputs.ROUTES,
    *events.ROUTES,
    *shapes.ROUTES,
    *streams.ROUTES,
    *journal.ROUTES,
    *packets.ROUTES,
    *envvars.ROUTES,
    *auth.ROUTES,
    *keys.ROUTES,
    *call.ROUTES,
    *beats.ROUTES,
    *variables.ROUTES,
    *unbuilt.ROUTES,
)
_FOLLOWING: Final = {route.path for route in (*events.ROUTES, *shapes.ROUTES)}
ROUTES: Final = (*API, *description.routes(API))


def build(
    engine: EnginePort,
    settings: ServerSettings | None = None,
    clock: Clock | None = None,
    *,
    pepper: Pepper | None = None,
    routes: Iterable[Route] = ROUTES,
    dev_key: str = "",
) -> Application:
    """The application for an engine. It starts and stops nothing of the engine.

    `pepper` is the one that the keys of the engine's database are stored under; without it no key
    of that database is known. With `dev_key` a browser on this machine needs no sign-in for the
    dashboard and has the rights of that key.
    """
    return Application(
        engine,
        settings or ServerSettings(),
        clock or SystemClock(),
        pepper or Pepper(secrets.token_hex(32)),
        routes,
        dev_key,
    )


class Application:
    """An ASGI application. `drain` before it is stopped."""

    def __init__(
        self,
        engine: EnginePort,
        settings: ServerSettings,
        clock: Clock,
        pepper: Pepper,
        routes: Iterable[Route],
        dev_key: str = "",
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._pepper = pepper
        self._keys = Keys(engine.access, pepper, clock)
        self._measured = Measured()
        self._sessions = Sessions(dev_key)
        self._routes = Routes(
            (
                *routes,
                *metrics.routes(self._measured),
                *session.routes(self._keys, self._sessions, Passwords(clock)),
                *plain.routes(self._keys, self._sessions),
                *pages.ROUTES,
            )
        )
        self._leases = Leases(self._keys)
        self._budget = Budget(settings.requests_per_s, clock)
        self._stopping = asyncio.Event()
        self.realtime = Hub(engine)
        self._links: set[asyncio.Task[Any]] = set()
        hosts = Hosts(_hosts(settings))
        self._edge = Edge(self._serve, hosts, clock, self._measured, logged=settings.access_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._edge(scope, receive, send)

    async def drain(self) -> None:
        """Let go of what would hold a stop up: workers are told to connect again, long answers are
        given up, and `/readyz` says no. Returns when the links have ended, within seconds. Safe to
        call twice.
        """
        self._stopping.set()
        self.realtime.drain()
        if self._links:
            await asyncio.wait(self._links, timeout=2 * END_S)
        await self._leases.stop()
        await self._keys.drain()

    async def look(self) -> None:
        """Look once whether those who are being answered for long may go on, and end the others.
        While there are any this is done every two seconds.
        """
        await self._leases.look()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(WebSocket(scope, receive, send))
        else:
            await _lifespan(receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        health = self._health(scope)
        found = None if health is not None else self._routes.find(scope["raw_path"])
        if health is not None:
            response = health
        elif found is None:
            response = pages.lost(scope) or answers.refused(Refusal(404, "Not found"))
        elif scope["method"] not in found.methods:
            allowed = {"allow": ", ".join(sorted(found.methods))}
            told = f"{scope['method']} is not answered here; {allowed['allow']} is."
            response = answers.refused(Refusal(405, told), allowed)
        else:
            route = found.methods[scope["method"]]
            scope["route"] = route.path
            if route.lasts:
                await self._lasting(route, found.parameters, scope, receive, send)
                return
            admitted = await self._admitted(route, found.parameters, scope)
            response = await self._answered(route, admitted, found.parameters, scope, receive)
        await response(scope, receive, send)

    async def _lasting(
        self,
        route: Route,
        parameters: tuple[str, ...],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer for as long as the caller may be answered."""
        credential = self._credential(route, parameters, scope)
        admitted = await self._keys.admit(*credential)

        async def answer(send: Send) -> None:
            response = await self._answered(route, admitted, parameters, scope, receive)
            await response(scope, receive, send)

        await self._leases.answer(credential, admitted.caller, answer, scope, send)

    async def _answered(
        self,
        route: Route,
        admitted: Admitted,
        parameters: tuple[str, ...],
        scope: Scope,
        receive: Receive,
    ) -> Response:
        """Have the route answer if the caller may ask, and tell the audit log if it is to know."""
        caller = admitted.caller
        self._budget.spend(caller.purse or caller.key_id or caller.name)
        action, resource = route.needs
        if caller.kind == "token" or (resource != ASKED and caller.kind in ("key", "person")):
            caller.permit(action, resource, public=route.public)
        exchange = Exchange(
            scope,
            receive,
            parameters,
            admitted,
            self._engine,
            self._clock,
            self._stopping,
            self._pepper,
        )
        exchange.realtime = self.realtime
        if route.path in _FOLLOWING:
            await self._engine.follow(admitted.env)
        if caller.once is None or not route.uses_up:
            response = await route.handler(exchange)
        else:
            response = await self._once(route, admitted, exchange)
        if response.status_code < 400:
            await self._told(route, exchange)
        return response

    async def _admitted(self, route: Route, parameters: tuple[str, ...], scope: Scope) -> Admitted:
        if route.open:
            client = scope["client"]
            return nobody(client[0] if client else "")
        if route.by_callback:
            env = await self._keys.environment_of_callback(*parameters)
        elif route.signed:
            env = await self._keys.environment_of_address(scope, parameters)
        else:
            return await self._keys.admit(*self._credential(route, parameters, scope))
        return Admitted(Caller("address", "address", purse=f"addresses of {env.env_id}"), env)

    def _credential(self, route: Route, parameters: tuple[str, ...], scope: Scope) -> Credential:
        header = self._sessions.authorization(scope, _header(scope, b"authorization"))
        return header, _slug(route, parameters, scope)

    async def _once(self, route: Route, admitted: Admitted, exchange: Exchange) -> Response:
        """Answer in the name of a token that is good for one request; a refused one is none."""
        key = exchange.request_key if route.method not in ("GET", "HEAD") else None
        use = f"{route.method} {exchange.scope['path']} {key}" if key else secrets.token_hex(16)
        request = hashlib.sha256(use.encode(errors="replace")).hexdigest()
        await self._keys.spend(admitted, request)
        try:
            response = await route.handler(exchange)
        except CallerError:
            await self._keys.give_back(admitted, request)
            raise
        if 400 <= response.status_code < 500:
            await self._keys.give_back(admitted, request)
        return response

    async def _told(self, route: Route, exchange: Exchange) -> None:
        what, target = exchange.audited or (route.audited, " ".join(exchange.parameters))
        if not what:
            return
        client = exchange.scope["client"]
        entry = Entry(
            self._clock.now(),
            exchange.env.env_id,
            exchange.caller.name,
            what,
            target,
            client[0] if client else "",
            exchange.scope["request_id"],
        )
        await self._keys.note(entry)

    async def _websocket(self, socket: WebSocket) -> None:
        path, header = socket.scope["raw_path"], _header(socket.scope, b"authorization")
        if path == SOCKET.encode():
            slug = _header(socket.scope, ENVIRONMENT.encode()) or environment_of(socket.scope)
            header = self._sessions.authorization(socket.scope, authorization(socket.scope, header))
            admitted = await self._keys.admit(header, slug)
            await self._engine.follow(admitted.env)
            served = serve_subscriber(socket, admitted, self.realtime, self._clock.now)
        elif path == LINK.encode():
            slug = _header(socket.scope, ENVIRONMENT.encode()) or ""
            admitted = await self._keys.admit(header, slug)
            admitted.caller.permit("write", "workers")
            served = serve_link(socket, admitted.env, self._engine, self._stopping)
        else:
            raise NotFound("Not found")
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            await self._leases.serve((header, slug), admitted.caller, served, socket)
        finally:
            self._links.discard(task)

    def _health(self, scope: Scope) -> Response | None:
        """`/healthz`: the process lives. `/readyz`: it takes requests now. No key is needed."""
        path = scope["raw_path"]
        if path not in (b"/healthz", b"/readyz") or scope["method"] not in ("GET", "HEAD"):
            return None
        if path == b"/healthz":
            return answers.json({"status": "ok"})
        ready = self._engine.ready and not self._stopping.is_set()
        return answers.json({"ready": ready}, 200 if ready else 503)


def _hosts(settings: ServerSettings) -> tuple[str, ...]:
    """The names to serve. Unless they are set, a server on loopback has its names only; one that
    others reach cannot know its names and takes any.
    """
    if settings.allowed_hosts:
        return (*settings.allowed_hosts, *LOOPBACK)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return LOOPBACK if host in LOOPBACK else ("*",)


def _slug(route: Route, parameters: tuple[str, ...], scope: Scope) -> str:
    """The environment that the path or a header names, a branch if it names one; "" for none."""
    slug = _named(route, parameters, scope)
    branch = _header(scope, BRANCH.encode())
    return slug_of(branch) if branch and slug in ("", PREVIEW) else slug


def _named(route: Route, parameters: tuple[str, ...], scope: Scope) -> str:
    steps = [step for step in route.path.split("/") if step.startswith("{")]
    if "{env}" in steps:
        return parameters[steps.index("{env}")]
    if "{project}" in steps:  # a list of a project's runs names it among its filters
        for name, value in parse_qsl(scope["query_string"].decode("latin-1")):
            if name == "filter[env]":
                return str(value.partition(",")[0])
    return _header(scope, ENVIRONMENT.encode()) or ""


def _header(scope: Scope, wanted: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value.decode("latin-1"))
    return None


async def _lifespan(receive: Receive, send: Send) -> None:
    """Starting and stopping is the business of whoever runs the engine."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
