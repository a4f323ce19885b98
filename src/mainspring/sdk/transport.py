"""The port through which the SDK reaches an engine, and which one is in force. No protocol here."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from mainspring.errors import MainspringError, ServerUnreachable, Unauthorized
from mainspring.sdk.context import running
from mainspring.sdk.settings import DEFAULT_URL, ClientSettings, environment_of, load
from mainspring.wire.calls import Request, Response

T = TypeVar("T")


class Transport(Protocol):
    """Carries requests to an engine: in process, over a worker's link or over HTTP.

    `environment` is the slug of the environment it speaks for. `loop` is the event loop on which
    `call` must be awaited; None means any.
    """

    environment: str
    loop: asyncio.AbstractEventLoop | None

    async def call(self, request: Request) -> Response:
        """The answer to one request. Raises: MainspringError, also those of the server."""
        ...

    async def close(self) -> None:
        """Give up connections; safe to call twice."""
        ...


class Client(Protocol):
    """What speaks to a server of its own; `mainspring.Client` is one."""

    @property
    def transport(self) -> Transport: ...


active: Final[ContextVar[Transport | None]] = ContextVar("mainspring_transport", default=None)


class _Process:
    """What holds for the whole process when no context says otherwise."""

    def __init__(self) -> None:
        self.transport: Transport | None = None
        self.settings: ClientSettings | None = None


_process: Final = _Process()


def current() -> Transport:
    """The transport in force here: of the context, of the process, or one built from settings.

    Raises: ServerUnreachable when no server is known, Unauthorized when only its key is not.
    """
    return active.get() or _process.transport or _built()


def environment() -> str:
    """The environment that requests made here belong to; needs no key."""
    transport = active.get() or _process.transport
    return transport.environment if transport is not None else _settings().environment


def configure(
    url: str | None = None, key: str | None = None, environment: str | None = None
) -> None:
    """Send this process's requests to the server at `url`, with `key`.

    What is left out comes from the environment variables and `.mainspring/dev.json` as usual.
    """
    _process.settings = settings_with(url, key, environment)
    _process.transport = None


def settings_with(
    url: str | None = None, key: str | None = None, environment: str | None = None
) -> ClientSettings:
    """These settings; what is left out comes from where it usually does."""
    given = {
        "MAINSPRING_URL": url,
        "MAINSPRING_SECRET_KEY": key,
        "MAINSPRING_ENVIRONMENT": environment or (environment_of(key) if key else None),
    }
    said = {name: value for name, value in given.items() if value is not None}
    return load({**os.environ, **said}, Path.cwd())


def install(transport: Transport | None) -> Transport | None:
    """Make `transport` the default of the process; None goes back to the settings.

    Returns the one in force before, for putting it back.
    """
    before, _process.transport = _process.transport, transport
    return before


@contextlib.contextmanager
def using(transport: Transport) -> Iterator[None]:
    """Use `transport` in this context and in the asyncio tasks made inside."""
    token = active.set(transport)
    try:
        yield
    finally:
        active.reset(token)


@contextlib.contextmanager
def elsewhere(transport: Transport) -> Iterator[None]:
    """Inside, requests go to `transport` and belong to no run, as a run's journal is not theirs."""
    token = running.set(None)
    try:
        with using(transport):
            yield
    finally:
        running.reset(token)


async def ask(request: Request, answer: type[T], transport: Transport | None = None) -> T:
    """Send one request and give back its answer, awaited on the transport's own loop.

    Raises: MainspringError, those of the server included.
    """
    to = transport or active.get() or _process.transport or _built()
    if to.loop is None or to.loop is asyncio.get_running_loop():
        response = await to.call(request)
    else:
        sent = asyncio.run_coroutine_threadsafe(to.call(request), to.loop)
        response = await asyncio.wrap_future(sent)
    if not isinstance(response, answer):
        raise MainspringError(
            f"{type(request).__name__} was answered with {type(response).__name__}, "
            f"not {answer.__name__}; server and package are of different versions."
        )
    return response


def _built() -> Transport:
    settings = _settings()
    key = known_key(settings)
    _process.transport = over_http(settings.url, key, environment=settings.environment)
    return _process.transport


def known_key(settings: ClientSettings) -> str:
    """The key of these settings. Raises: ServerUnreachable when not even a server is known,
    Unauthorized when only its key is not.
    """
    if settings.key is None:
        if settings.url == DEFAULT_URL:
            raise ServerUnreachable(
                f"No server is known in {Path.cwd()}: start `mainspring dev` here or in a folder "
                f"above, or set MAINSPRING_URL (now {settings.url}) and MAINSPRING_SECRET_KEY."
            )
        raise Unauthorized(
            f"No key for {settings.url} is known; set MAINSPRING_SECRET_KEY to the key of the "
            "environment, or give it where you give the URL."
        )
    return settings.key


def over_http(url: str, key: str, **how: Any) -> Transport:
    """A transport to the server at `url`; `how` as `HttpTransport` takes it."""
    # by name, so that importing the package does not load an HTTP client
    http = importlib.import_module("mainspring.sdk.http")
    built: Transport = http.HttpTransport(url, key, **how)
    return built


def _settings() -> ClientSettings:
    return _process.settings or load(os.environ, Path.cwd())
