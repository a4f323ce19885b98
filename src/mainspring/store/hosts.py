"""Which of the hosts of a URL takes writes: asked one after another. No statements here."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any, Final
from urllib.parse import unquote

import asyncpg

from mainspring.errors import ConfigurationError
from mainspring.store.trouble import ERRORS

CONNECT_S: Final = 10.0
HOST_S: Final = 2.5
"""How long one of several hosts may be silent before the next one is asked."""
PORT: Final = 5432
TARGETS: Final = ("read-write", "primary", "any")
_HOST: Final = re.compile(r"(\[[^\]]+\]|[^:\[\]]*)(?::(\d*))?")
_SILENT_MS: Final = 10_000
_TCP: Final = (
    ("TCP_USER_TIMEOUT", _SILENT_MS),  # what we have sent is not even acknowledged
    ("TCP_KEEPIDLE", 5),
    ("TCP_KEEPINTVL", 2),
    ("TCP_KEEPCNT", 3),
)


class Hosts:
    """The hosts of a URL, and what a session there must allow.

    The one that took us last is asked first. A standby, one that is down and one that says nothing
    for 2.5 s are passed over, so that whichever of them is promoted is found.
    """

    def __init__(self, netloc: str, target: str) -> None:
        if target not in TARGETS:
            raise ConfigurationError(
                f"target_session_attrs={target} does not go with a server, which has to write; "
                f"expected one of {', '.join(TARGETS)}."
            )
        self.target = target
        self.all = [_host(text) for text in netloc.rpartition("@")[2].split(",")]
        self._first = 0

    @property
    def shown(self) -> str:
        """All of them, as in the URL."""
        return ",".join(f"{name or 'localhost'}:{port}" for name, port in self.all)

    async def dial(self, options: dict[str, Any]) -> asyncpg.Connection[asyncpg.Record]:
        """As the driver's `connect`, to the host that takes writes."""
        if len(self.all) == 1:  # it may be a socket's folder that other parameters name
            return await self._dial_one(options | {"timeout": CONNECT_S})
        failed: list[tuple[str, BaseException]] = []
        for at in range(len(self.all)):
            index = (self._first + at) % len(self.all)
            name, port = self.all[index]
            place = {"host": name or "localhost", "port": port, "timeout": HOST_S}
            try:
                found = await self._dial_one(options | place)
            except ERRORS as error:
                failed.append((f"{name}:{port}", error))
                continue
            self._first = index
            return found
        for _, reason in failed:
            if isinstance(reason, asyncpg.PostgresError):
                raise reason
        raise ConnectionError(
            "; ".join(f"{name}: {reason or type(reason).__name__}" for name, reason in failed)
        )

    async def _dial_one(self, options: dict[str, Any]) -> asyncpg.Connection[asyncpg.Record]:
        options = options | {"target_session_attrs": self.target}
        try:
            found: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(**options)
        except asyncpg.TargetServerAttributeNotMatched as error:
            raise ConnectionError("it takes no writes; it may be a standby") from error
        _watch(found)
        return found


def _watch(connection: Any) -> None:
    """Notice within seconds that the other side is gone without a word."""
    sock = connection._transport.get_extra_info("socket")
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with contextlib.suppress(OSError):  # it is gone already: the first call will say so
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _TCP:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _host(text: str) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = int(match[2] or PORT) if match is not None else 0
    if match is None or not 0 < port < 65536:
        raise ConfigurationError(
            f"the database URL is ill-formed: {text!r} is no host:port. Several are written "
            "host1:5432,host2:5432."
        )
    return unquote(match[1].strip("[]")), port
