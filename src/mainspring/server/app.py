"""The server as one ASGI application: edge, routes, health, the link of workers. Assembles only."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from mainspring.clock import Clock, SystemClock
from mainspring.errors import NotFound
from mainspring.server import answers
from mainspring.server.api import (
    call,
    inputs,
    journal,
    metadata,
    queues,
    runs,
    tasks,
    unbuilt,
    waitpoints,
)
from mainspring.server.auth import Keys
from mainspring.server.edge import Edge
from mainspring.server.exchange import Exchange
from mainspring.server.guard import LOOPBACK, Hosts, Refusal
from mainspring.server.port import EnginePort
from mainspring.server.routes import Routes
from mainspring.server.worker_api import beats
from mainspring.server.worker_api.link import END_S, serve_link
from mainspring.settings.values import ServerSettings
from mainspring.wire.beats import LINK

ROUTES: Final = (
    *tasks.ROUTES,
    *runs.ROUTES,
    *queues.ROUTES,
    *metadata.ROUTES,
    *waitpoints.ROUTES,
    *inputs.ROUTES,
    *journal.ROUTES,
    *call.ROUTES,
    *beats.ROUTES,
    *unbuilt.ROUTES,
)


def build(
    engine: EnginePort, settings: ServerSettings | None = None, clock: Clock | None = None
) -> Application:
    """The application for an engine. It starts and stops nothing of the engine."""
    return Application(engine, settings or ServerSettings(), clock or SystemClock())


class Application:
    """An ASGI application. `drain` before it is stopped."""

    def __init__(self, engine: EnginePort, settings: ServerSettings, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._keys = Keys(engine, clock)
        self._routes = Routes(ROUTES)
        self._stopping = asyncio.Event()
        # Nothing takes public tokens yet; until it does, a key of this process will do.
        self._signing_key = secrets.token_bytes(32)
        self._links: set[asyncio.Task[Any]] = set()
        hosts = Hosts(_hosts(settings))
        self._edge = Edge(self._serve, hosts, clock, logged=settings.access_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._edge(scope, receive, send)

    async def drain(self) -> None:
        """Let go of what would hold a stop up: workers are told to connect again, long answers are
        given up, and `/readyz` says no. Returns when the links have ended, within seconds. Safe to
        call twice.
        """
        self._stopping.set()
        if self._links:
            await asyncio.wait(self._links, timeout=2 * END_S)

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
            response = answers.refused(Refusal(404, "Not found"))
        elif scope["method"] not in found.methods:
            allowed = {"allow": ", ".join(sorted(found.methods))}
            told = f"{scope['method']} is not answered here; {allowed['allow']} is."
            response = answers.refused(Refusal(405, told), allowed)
        else:
            route = found.methods[scope["method"]]
            if route.by_callback:
                env = await self._keys.environment_of_callback(*found.parameters)
            else:
                env = await self._keys.environment(_authorization(scope))
            exchange = Exchange(
                scope,
                receive,
                found.parameters,
                env,
                self._engine,
                self._clock,
                self._stopping,
                self._signing_key,
            )
            response = await route.handler(exchange)
        await response(scope, receive, send)

    async def _websocket(self, socket: WebSocket) -> None:
        if socket.scope["raw_path"] != LINK.encode():
            raise NotFound("Not found")
        env = await self._keys.environment(_authorization(socket.scope))
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            await serve_link(socket, env, self._engine, self._stopping)
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


def _authorization(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(value.decode("latin-1"))
    return None


async def _lifespan(receive: Receive, send: Send) -> None:
    """Starting and stopping is the business of whoever runs the engine."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
