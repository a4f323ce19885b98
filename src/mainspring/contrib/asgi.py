"""FastAPI and Starlette: the whole platform inside an application, or only a client of a server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mainspring.app import keys, peppers
from mainspring.app.embedded import SLOTS, Embedded
from mainspring.app.stores import FOLDER, locate
from mainspring.errors import ConfigurationError
from mainspring.sdk.client import Client
from mainspring.sdk.transport import current
from mainspring.server.app import build
from mainspring.server.session import PREFIX
from mainspring.settings.values import ServerSettings

DATABASE: Final = str(FOLDER / "state.db")
_STATE: Final = "mainspring"


def mount(
    app: Starlette,
    path: str = "/jobs",
    *,
    database: str = DATABASE,
    key: str | None = None,
    slots: int = SLOTS,
    capture: bool = True,
    environment: str | None = None,
) -> None:
    """Run engine and worker inside this application, and answer the HTTP API below `path`.

    They live from its start to its end, and its own lifespan runs within theirs. Tasks that are
    declared by then are executed in its event loop, triggers of this process go to them, and the
    dependency `client` gives a client. One process may do this for a database; others use `connect`
    with this one's address.

    Args:
        database: a path or URL as `mainspring server` takes it.
        key: a secret key that the API takes; default MAINSPRING_SECRET_KEY. Without one nobody
            outside of this process is let in.
        slots: how many runs execute at once.
        capture: whether output of runs goes into their logs instead of to the terminal.
        environment: whose runs are executed, prod or preview-fix for example; default the one that
            the key names, dev without a key.
    """
    place = _Place(path.rstrip("/"))
    secret = key if key is not None else os.environ.get(keys.VARIABLE, "")

    @asynccontextmanager
    async def running() -> AsyncIterator[Client]:
        slug = environment or (secret.split("_")[1] if secret.count("_") > 1 else "dev")
        async with Embedded(database, slots=slots, capture=capture, environment=slug) as embedded:
            said = os.environ.get(peppers.VARIABLE, "")
            pepper = await peppers.pepper_of(locate(database), said, embedded.store.access)
            if secret:
                await keys.admit(embedded.engine, pepper, secret, slug)
            # its names are those of the application around it
            settings = ServerSettings(allowed_hosts=("*",), access_log=False)
            inside = build(embedded.engine, settings, pepper=pepper)
            place.inside = inside
            try:
                yield Client(transport=current())
            finally:
                place.inside = None
                await inside.drain()

    app.mount(place.path, place)
    _live(app, running)


def connect(app: Starlette, url: str | None = None, key: str | None = None) -> None:
    """Give this application a client of a server, which the dependency `client` hands out.

    What is left out comes from where `mainspring.Client` takes it, when the application starts.
    """

    @asynccontextmanager
    async def running() -> AsyncIterator[Client]:
        async with Client(url, key) as client:
            yield client

    _live(app, running)


def client(connection: HTTPConnection) -> Client:
    """The client of the application, as a dependency: `jobs: Annotated[Client, Depends(client)]`.

    Raises: ConfigurationError when neither `mount` nor `connect` was called, or its lifespan has
    not run.
    """
    found = getattr(connection.app.state, _STATE, None)
    if not isinstance(found, Client):
        raise ConfigurationError(
            "This application has no Mainspring client. Call mainspring.contrib.asgi.mount(app) or "
            "connect(app) where it is made; in tests, run its lifespan: `with TestClient(app)`."
        )
    return found


class _Place:
    """Where the API stands in the application's paths; 503 while the engine does not run."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.inside: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.inside is None:
            told = {"error": "The engine does not run: the application's lifespan has not begun."}
            await JSONResponse(told, 503)(scope, receive, send)
            return
        # a path is matched as it was sent, so it is cut as it was sent
        before = scope.get("root_path", "").encode()
        raw = scope.get("raw_path") or scope["path"].encode()
        inner = dict(scope, raw_path=raw.removeprefix(before), root_path="")
        inner[PREFIX] = before.decode()
        inner["path"] = scope["path"].removeprefix(scope.get("root_path", ""))
        await self.inside(inner, receive, send)


def _live(app: Starlette, running: Callable[[], AbstractAsyncContextManager[Client]]) -> None:
    inner: Any = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(of: Any) -> AsyncIterator[Any]:
        async with running() as client, inner(of) as state:
            app.state.mainspring = client
            try:
                yield state
            finally:
                del app.state.mainspring

    app.router.lifespan_context = lifespan
