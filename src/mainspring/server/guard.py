"""What a request must look like before anybody reads it: host, version, sizes. Decides, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from starlette.types import Scope

HEADERS: Final = 100
HEADER_BYTES: Final = 32 * 1024
URL_BYTES: Final = 8 * 1024
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")

_HOST: Final = re.compile(
    rb"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]{0,253}))(?::[0-9]{1,5})?"
)


class Refusal(Struct, frozen=True):
    """Why a request goes no further."""

    status: int
    message: str


class Hosts:
    """The names under which this server may be called.

    With a list, no other name is served: a page on a foreign site whose name was bent to this
    address (DNS rebinding) is refused. `["*"]` serves any single valid name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        listed = [name.lower() for name in names]
        self._any = "*" in listed
        self._names = frozenset(name.encode() for name in listed)

    def allow(self, header: bytes) -> bool:
        """Whether the value of a Host header names this server; a port is not looked at."""
        found = _HOST.fullmatch(header.lower())
        return found is not None and (self._any or found[1].rstrip(b".") in self._names)


PACKED: Final = b"/otel/v1/"
"""Beginning of the paths whose handlers unpack bodies, within bounds."""


def refuse(scope: Scope, hosts: Hosts) -> Refusal | None:
    """The reason to refuse a request, or None.

    Two Host headers, or none, are how a proxy and a server come to disagree about a request.
    """
    if scope["http_version"] != "1.1":
        return Refusal(505, "HTTP/1.1 is spoken here.")
    headers = scope["headers"]
    names = [name for name, _ in headers]
    if names.count(b"host") != 1:
        found = "more" if b"host" in names else "none"
        return Refusal(400, f"A request must have exactly one Host header; this has {found}.")
    if names.count(b"transfer-encoding") > 1:
        return Refusal(400, "A request may have one Transfer-Encoding header.")
    values = dict(headers)
    host = values[b"host"]
    if not hosts.allow(host):
        shown = host[:80].decode("latin-1")
        return Refusal(
            421,
            f"This server is not called {shown!a}. Whoever runs it can allow that name with "
            "allowed_hosts.",
        )
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > HEADERS or size > HEADER_BYTES:
        return Refusal(
            431, f"A request may have {HEADERS} headers with {HEADER_BYTES // 1024} KiB together."
        )
    if len(scope["raw_path"]) + len(scope["query_string"]) > URL_BYTES:
        return Refusal(414, f"A path with its query may have {URL_BYTES // 1024} KiB.")
    packed = values.get(b"content-encoding", b"identity") != b"identity"
    if packed and not scope["raw_path"].startswith(PACKED):
        return Refusal(415, "A body is sent as it is, without Content-Encoding.")
    return None
