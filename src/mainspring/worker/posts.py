"""What is said and asked beside the link, over one kept connection: a sign of life, a death, the
variables to start with. Blocking.
"""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from mainspring.errors import MainspringError, ServerUnreachable
from mainspring.wire.beats import BEAT, LOST, Named, decode_known
from mainspring.wire.errors import error_from
from mainspring.wire.variables import VARIABLES, Given, decode_given
from mainspring.worker.proxies import proxy_for

TIMEOUT_S: Final = 3.0
T = TypeVar("T")


def credentials(key: str, environment: str) -> dict[str, str]:
    """The headers with a key and, of a key of `preview`, with the branch that is meant."""
    found = {"Authorization": f"Bearer {key}"}
    return found | {"x-mainspring-environment": environment} if environment else found


class Posts:
    """Speaks to one server with one key, from one thread at a time."""

    def __init__(
        self, url: str, key: str, timeout_s: float = TIMEOUT_S, environment: str = ""
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = credentials(key, environment) | {"Content-Type": "application/json"}
        self._timeout_s = timeout_s
        self._connection: HTTPConnection | None = None

    def beat(self, session_id: str) -> bool:
        """Say that the session lives; False = the server does not know it (any more).

        Raises: ServerUnreachable, or the server's own error.
        """
        return self._post(BEAT, session_id)

    def lost(self, session_id: str, how: str = "") -> None:
        """Say that the session's process is dead, and `how` it died, so that its runs go elsewhere
        at once. Raises: as `beat`.
        """
        self._post(LOST, session_id, how)

    def variables(self) -> Given:
        """What the server gives to workers of this environment.

        Raises: as `beat`; NotFound from a server that gives nothing.
        """
        return self._answered("GET", VARIABLES, None, decode_given)

    def close(self) -> None:
        """Close the connection; the next post opens one again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, path: str, session_id: str, how: str = "") -> bool:
        body = msgspec.json.encode(Named(session_id, how))
        return self._answered("POST", path, body, decode_known).known

    def _answered(
        self, method: str, path: str, body: bytes | None, decode: Callable[[bytes], T]
    ) -> T:
        try:
            status, data = self._exchange(method, path, body)
        except (OSError, HTTPException) as error:
            self.close()
            raise ServerUnreachable(f"{self._url} does not answer: {error!r}.") from error
        if status != 200:
            raise error_from(status, data)
        try:
            return decode(data)
        except msgspec.MsgspecError as error:
            raise MainspringError(
                f"{self._url}{path} answered what is not a mainspring server's answer: {error}. "
                "Check the URL."
            ) from error

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        kept = self._connection is not None
        connection = self._connection = self._connection or self._connect()
        try:
            connection.request(method, urlsplit(self._url).path + path, body, self._headers)
            response = connection.getresponse()
        except (ConnectionError, HTTPException):
            # a kept connection may have been closed by the server in between
            self.close()
            if not kept:
                raise
            return self._exchange(method, path, body)
        return response.status, response.read()

    def _connect(self) -> HTTPConnection:
        parts = urlsplit(self._url)
        host, port = parts.hostname or "", parts.port
        make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        proxy = proxy_for(self._url)
        if proxy is None:
            return make(host, port, timeout=self._timeout_s)
        via = urlsplit(proxy)
        connection = make(via.hostname or "", via.port, timeout=self._timeout_s)
        connection.set_tunnel(host, port)
        return connection
