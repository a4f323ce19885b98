"""The transport of commands without TLS: one connection, awaited where it stands.

Nothing of it pauses, so that a command needs no event loop: that and what comes with it (asyncio,
ssl, http.client) would take longer to load than all else that a command does.
"""

from __future__ import annotations

import socket
import time
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from mainspring.sdk.exchange import Answer, Exchange, Unreached

_LINE: Final = 65_536
_NO_HTTP: Final = "what answers there does not speak HTTP"


class PlainTransport(Exchange):
    """Sends each request and waits for its answer; the connection is kept for the next one."""

    def __init__(self, url: str, key: str, **how: Any) -> None:
        super().__init__(url, key, **how)
        self._server = urlsplit(self.url)
        self._idle: list[_Connection] = []

    async def send(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float, connect: float
    ) -> Answer:
        kept = self._idle.pop() if self._idle else None
        connection = kept
        try:
            if connection is None:
                connection = _Connection(self._server.hostname or "", self._server.port, connect)
            answer = connection.ask(self._head(path, body, headers) + body, timeout)
        except (OSError, ValueError) as error:
            if connection is not None:
                connection.close()
            if kept is not None and not isinstance(error, TimeoutError):
                return await self.send(path, body, headers, timeout, connect)  # it was closed
            raise Unreached(str(error) or type(error).__name__) from error
        except BaseException:  # the command was interrupted
            if connection is not None:
                connection.close()
            raise
        if connection.lasts:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _head(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        named = {
            "Host": self._server.netloc.rpartition("@")[2],
            "Content-Length": str(len(body)),
            **self.headers,
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return f"POST {self._server.path}{path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


class _Connection:
    """A connection, and whether it can be asked again. Raises: OSError, ValueError."""

    def __init__(self, host: str, port: int | None, connect: float) -> None:
        # as bytes, because texts go through a codec that is slow to load
        name: Any = host.encode("ascii" if host.isascii() else "idna")
        self._socket = socket.create_connection((name, port or 80), connect)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file: BinaryIO = self._socket.makefile("rb")
        self.lasts = True

    def ask(self, request: bytes, timeout: float) -> Answer:
        self._socket.settimeout(timeout)
        self._socket.sendall(request)
        status = 100
        while 100 <= status < 200:
            status, headers = self._head()
        if headers.get("connection", "").lower() == "close":
            self.lasts = False
        return Answer(status, headers, self._body(headers))

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _head(self) -> tuple[int, dict[str, str]]:
        version, _, rest = self._line().partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(_NO_HTTP)
        self.lasts = version != "HTTP/1.0"
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(rest[:3]), headers

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        if "content-length" not in headers:
            self.lasts = False
            return self._file.read()
        return self._exactly(int(headers["content-length"]))

    def _chunk(self) -> bytes:
        size = int(self._line().partition(";")[0], 16)
        data = self._exactly(size)
        while self._line() and not size:  # the end of a chunk, or of the trailers after the last
            pass
        return data

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionResetError("the connection ended before the answer did")
        return data

    def _line(self) -> str:
        line = self._file.readline(_LINE)
        if not line:
            raise ConnectionResetError("the connection was closed without an answer")
        if not line.endswith(b"\n"):
            raise ValueError(_NO_HTTP)
        return line.decode("latin-1").rstrip("\r\n")
