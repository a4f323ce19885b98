"""Where other servers of the database reach this one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from mainspring.engine.engine import Engine
from mainspring.errors import ConfigurationError
from mainspring.server.peers.frames import accept
from mainspring.server.peers.incoming import Incoming
from mainspring.server.serve import bind

log = logging.getLogger("mainspring.server")


def listen(address: str) -> socket.socket:
    """A socket for other servers on `host:port`; empty: on loopback, with a free port.

    Raises: PortTaken, ConfigurationError.
    """
    host, colon, port = address.rpartition(":")
    anywhere = host in ("0.0.0.0", "::", "[::]")  # noqa: S104 - compared
    if address and (anywhere or not (colon and host and port.isdigit())):
        raise ConfigurationError(
            f"server.address is {address!r}; expected host:port under which the other servers of "
            "the database reach this one, such as 10.0.0.5:7421."
        )
    return bind(host.strip("[]") or "127.0.0.1", int(port or 0))


def address_of(bound: socket.socket) -> str:
    """The address of such a socket, as other servers are told."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class PeerListener:
    """Takes the connections of other servers, from `start` to `stop`."""

    def __init__(self, engine: Engine, secret: bytes, bound: socket.socket) -> None:
        self._engine = engine
        self._secret = secret
        self._bound = bound
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, sock=self._bound)

    async def stop(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            wire = await accept(reader, writer, self._secret)
            if wire is None:
                log.warning("somebody who is no server of this database was turned away")
                return
            with contextlib.suppress(asyncio.CancelledError):  # how `stop` ends it
                await Incoming(self._engine, wire).run()
        finally:
            self._open.discard(task)
            writer.transport.abort()
