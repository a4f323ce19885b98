"""A server process: store, engine and HTTP on one port. It starts no workers."""

from __future__ import annotations

import os
import random
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mainspring.app import keys
from mainspring.app.stores import Location, make_folder, objects_at, store_at
from mainspring.clock import SystemClock
from mainspring.engine.engine import Engine
from mainspring.server.app import build
from mainspring.server.serve import Listener, bind
from mainspring.settings import ServerSettings


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
    objects: Path | None = None,
) -> AsyncIterator[Hosted]:
    """Serve the database at `place` as long as the block runs.

    `key` is made valid for the environment it names. Without one, an empty database gets a key of
    its own for `environment` (default prod).
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
        url = url_of(bound)
        engine = Engine(
            store,
            objects_at(place, objects),
            SystemClock(),
            random.SystemRandom(),
            _server_id(place),
            url,
        )
        stack.push_async_callback(engine.stop)
        await engine.start()
        if key:
            await keys.admit(engine, key, environment)
            new_key = None
        else:
            new_key = await keys.first_key(engine, environment or "prod")
        listener = Listener(build(engine, settings), settings, bound=bound)
        stack.push_async_callback(listener.stop)
        await listener.start()
        yield Hosted(url, engine, new_key)


def url_of(bound: socket.socket) -> str:
    """Where clients on this machine reach the socket."""
    host, port = bound.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _server_id(place: Location) -> str:
    """The name of this process among servers.

    On SQLite the lock on the file says who owns it, so each start is the same server again and
    need not wait for the one before to count as lost.
    """
    if place.kind == "sqlite":
        return "sqlite"
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
