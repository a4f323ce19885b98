"""A server process: store, engine and HTTP on one port. It starts no workers."""

from __future__ import annotations

import os
import random
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from mainspring.app import keys
from mainspring.app.archives import depot_at
from mainspring.app.collectors import collector_at
from mainspring.app.peers import join
from mainspring.app.peppers import pepper_of
from mainspring.app.stores import Location, make_folder, objects_of, store_at
from mainspring.app.vaults import vault_of
from mainspring.clock import SystemClock
from mainspring.engine.engine import Engine
from mainspring.engine.exporting import Exporter
from mainspring.engine.pushing import Pusher
from mainspring.model.limits import DAY_MS
from mainspring.server.app import build
from mainspring.server.peers.listener import address_of, listen
from mainspring.server.serve import Listener, bind
from mainspring.settings import ServerSettings

LOOPBACK_ADDRESSES: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Hosted:
    """A server that answers. `new_key` is set at the first start only, and nowhere else kept."""

    url: str
    engine: Engine
    new_key: str | None


@asynccontextmanager
async def hosted(
    place: Location,
    settings: ServerSettings,
    *,
    key: str = "",
    environment: str = "",
    dev: bool = False,
) -> AsyncIterator[Hosted]:
    """Serve the database at `place` as long as the block runs.

    `key` is made valid for the environment it names. Without one, an empty database gets a key of
    its own for `environment` (default prod). With `dev`, a browser on this
    machine needs no sign-in.
    Raises: PortTaken, ConfigurationError, Unauthorized, StoreUnavailable, StoreInUse,
    SchemaMismatch; nothing is left running then.
    """
    async with AsyncExitStack() as stack:
        bound = bind(settings.host, settings.port)
        stack.callback(bound.close)
        if place.on_disk:
            make_folder(place.folder)
        store = store_at(place)
        await store.open()
        stack.push_async_callback(store.close)
        url = url_of(bound, "https" if settings.tls_cert else "http")
        peers = None
        if place.kind == "postgres":
            peers = listen(settings.address)
            stack.callback(peers.close)
        engine = Engine(
            store,
            objects_of(store, place),
            SystemClock(),
            random.SystemRandom(),
            _server_id(place),
            url if peers is None else address_of(peers),
            vault_of(place, settings),
        )
        _set(engine, settings, stack)
        port = await join(stack, engine, peers)
        pepper = await pepper_of(place, settings.pepper, store.access)
        await engine.start()
        if key:
            await keys.admit(engine, pepper, key, environment)
            new_key = None
        else:
            new_key = await keys.first_key(engine, pepper, environment or "prod")
        open_key = key if dev and settings.host in LOOPBACK_ADDRESSES else ""
        app = build(port, settings, pepper=pepper, dev_key=open_key)
        listener = Listener(app, settings, bound=bound)
        stack.push_async_callback(listener.stop)
        await listener.start()
        yield Hosted(url, engine, new_key)


def _set(engine: Engine, settings: ServerSettings, stack: AsyncExitStack) -> None:
    """What is kept for how long, and who is told. Raises: ConfigurationError."""
    engine.keep_ms = settings.keep_days * DAY_MS
    if settings.archive:
        engine.depot = depot_at(settings.archive)
        stack.callback(engine.depot.close)
    engine.keep_versions = settings.keep_versions
    engine.keep_lines_ms = settings.logs_days * DAY_MS
    engine.keep_metrics_ms = settings.metrics_days * DAY_MS
    engine.measured = settings.metrics
    if settings.otlp_endpoint:
        collector = collector_at(settings)
        stack.push_async_callback(collector.close)
        engine.exporter = Exporter(collector.send)
        engine.pusher = Pusher(collector.send_metrics)


def url_of(bound: socket.socket, scheme: str = "http") -> str:
    """Where clients on this machine reach the socket."""
    host, port = bound.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
    return (
        f"{scheme}://[{reachable}]:{port}" if ":" in reachable else f"{scheme}://{reachable}:{port}"
    )


def _server_id(place: Location) -> str:
    """The name of this process among servers.

    On SQLite the lock on the file says who owns it, so each start is the same server again and
    need not wait for the one before to count as lost.
    """
    if place.kind == "sqlite":
        return "sqlite"
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
