"""The application on a port: binds, serves in the running loop, stops in good order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final

from uvicorn import Config, Server

from mainspring.errors import ConfigurationError, PortTaken
from mainspring.server.app import Application
from mainspring.server.protocol import BoundedHttp
from mainspring.settings.values import ServerSettings

try:
    from uvloop import new_event_loop
except ImportError:  # Windows, PyPy
    from asyncio import new_event_loop  # type: ignore[assignment]

MESSAGE: Final = 16 * 1024 * 1024
"""Bytes of one message of a worker's link at most."""
IDLE_S: Final = 60
BACKLOG: Final = 2048
COLLECT: Final = (10_000, 20, 100)
"""Allocations before the young are looked at, and how many such looks before the older ones are."""

log = logging.getLogger("mainspring.server")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop that serves fastest here; for `asyncio.Runner`."""
    return new_event_loop


def runner() -> asyncio.Runner:
    """What runs a process that serves and does nothing else, no user's code above all.

    Its collector looks at what is old only now and then: a server keeps a million small things for
    long, makes and drops others all the time, and nearly none of them in cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    return asyncio.Runner(loop_factory=loop_factory())


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on the address; port 0 takes a free one.

    Raises: PortTaken, ConfigurationError for an address that is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named, so that asyncio knows it for TCP and answers without waiting for more to send
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        bound.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} of {host} is in use by another process. Stop that one, or choose "
                "another with --port."
            ) from error
        raise ConfigurationError(
            f"Cannot listen on {host}, port {port}: {error}. Expected an address of this machine, "
            "such as 127.0.0.1, and a port from 0 to 65535."
        ) from error
    bound.setblocking(False)
    return bound


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """What serves HTTPS; None for plain HTTP. Raises: ConfigurationError."""
    if not settings.tls_cert:
        if settings.tls_key:
            raise ConfigurationError("server.tls_key is set, but no certificate: server.tls_cert.")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key or None)
    except OSError as error:  # also what is wrong inside the files
        raise ConfigurationError(
            f"The certificate {settings.tls_cert} cannot be used: {error}. Expected PEM files with "
            "the certificate and its own key, which has no password."
        ) from error
    return context


class Listener:
    """An application on a port, from `start` to `stop`; in the loop that both are called in.

    Args:
        bound: a listening socket to use instead of binding the address of the settings.
    """

    def __init__(
        self,
        app: Application,
        settings: ServerSettings | None = None,
        *,
        bound: socket.socket | None = None,
    ) -> None:
        self._app = app
        self._settings = settings or ServerSettings()
        self._bound = bound
        self._server: _Quiet | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and return once requests are answered. Raises: PortTaken, ConfigurationError."""
        settings = self._settings
        tls = tls_context(settings)
        if self._bound is None:
            self._bound = bind(settings.host, settings.port)
        self._server = _Quiet(
            Config(
                self._app,
                http=BoundedHttp,
                ws="websockets-sansio",
                ws_max_size=MESSAGE,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=settings.max_connections,
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=max(1, round(settings.drain_s)),
                ssl_context_factory=None if tls is None else lambda config, default: tls,
            )
        )
        self._task = asyncio.create_task(self._server.serve([self._bound]), name="http server")
        serving = asyncio.create_task(self._server.serving.wait())
        await asyncio.wait((self._task, serving), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            serving.cancel()
            self._task.result()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._bound is not None, "not started"
        return int(self._bound.getsockname()[1])

    async def stop(self) -> None:
        """Take no more connections, let workers go, and end requests within the time to drain.
        Safe to call twice.
        """
        await self._app.drain()
        if self._server is not None:
            self._server.end()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self) -> None:
        """Return when it has stopped. Raises: whatever ended it otherwise."""
        assert self._task is not None, "not started"
        await asyncio.shield(self._task)


async def serve(
    app: Application, settings: ServerSettings | None = None, *, stop: asyncio.Event
) -> None:
    """Serve until `stop` is set. Raises: PortTaken, ConfigurationError."""
    listener = Listener(app, settings)
    await listener.start()
    try:
        await stop.wait()
    finally:
        await listener.stop()


class _Quiet(Server):
    """uvicorn's server, which here neither takes signals nor tells the world when it starts."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Begin to stop."""
        self.should_exit = True
        self._ending.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    async def main_loop(self) -> None:
        # Wakes once a second for the Date header instead of ten times, and at once to end.
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._ending.wait()
