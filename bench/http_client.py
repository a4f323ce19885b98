"""A client of the trigger route that costs little: prebuilt bytes over kept connections.

    python -m bench.http_client URL KEY CONNECTIONS COUNT [PER_S]

Without PER_S each connection sends its next request when it has an answer; with it requests are
sent at that rate, whether or not earlier ones were answered, and late ones count from when they
were due. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from urllib.parse import urlsplit

from bench.place import PAYLOAD

_BODY = json.dumps({"payload": json.loads(PAYLOAD), "options": {}}).encode()
_END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._data = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def send(self, due: float) -> None:
        self.due = due
        self.transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(_END)
        if head < 0:
            return
        at = self._data.find(b"content-length: ", 0, head) + 16
        size = int(self._data[at : self._data.index(b"\r\n", at)])
        if len(self._data) < head + 4 + size:
            return
        assert self._data.startswith(b"HTTP/1.1 200"), self._data
        self._data = b""
        self._load.answered(self)


class Load:
    """So many requests, and when they were answered."""

    def __init__(self, url: str, key: str, count: int) -> None:
        place = urlsplit(url)
        self.host, self.port = place.hostname or "", place.port or 0
        self._head = (
            f"POST /api/v1/tasks/noop/trigger HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"trigger-version: 4.8.3\r\nx-trigger-api-version: 2025-07-16\r\n"
            f"Content-Length: {len(_BODY)}\r\nx-trigger-request-idempotency-key: "
        ).encode()
        self._left = count
        self._open = count
        self._number = 0
        self._paced = False
        self._idle: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.done = asyncio.Event()

    def request(self) -> bytes:
        self._number += 1
        return b"%b%032x\r\n\r\n%b" % (self._head, self._number, _BODY)

    def answered(self, connection: Connection) -> None:
        now = time.perf_counter()
        self.latencies.append(now - connection.due)
        self._open -= 1
        if not self._open:
            self.done.set()
        elif self._paced and self._waiting:
            connection.send(self._waiting.popleft())
        elif self._paced:
            self._idle.append(connection)
        elif self._left:
            self._left -= 1
            connection.send(now)

    async def run(self, connections: list[Connection], per_s: float) -> float:
        """Send everything; seconds until the last answer."""
        begin = time.perf_counter()
        self._paced = per_s > 0
        self._idle.extend(connections)
        if not self._paced:
            for connection in connections:
                self._left -= 1
                connection.send(begin)
        else:
            await self._pace(begin, per_s)
        await self.done.wait()
        return time.perf_counter() - begin

    async def _pace(self, begin: float, per_s: float) -> None:
        sent = 0
        while self._left:
            due = min(self._left, int((time.perf_counter() - begin) * per_s) + 1 - sent)
            for n in range(due):
                at = begin + (sent + n) / per_s
                if self._idle:
                    self._idle.popleft().send(at)
                else:
                    self._waiting.append(at)
            sent, self._left = sent + due, self._left - due
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.0005)


async def main(url: str, key: str, connections: int, count: int, per_s: float) -> None:
    loop = asyncio.get_running_loop()
    warm = Load(url, key, connections * 4)
    load = Load(url, key, count)
    load._number = 1 << 40
    made = []
    for part in (warm, load):
        made = [
            (await loop.create_connection(lambda: Connection(part), part.host, part.port))[1]  # noqa: B023
            for _ in range(connections)
        ]
        if part is warm:
            await part.run(made, 0)
            for connection in made:
                connection.transport.close()
            print("warm", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
    seconds = await load.run(made, per_s)
    found = sorted(load.latencies)
    told = {
        "seconds": seconds,
        "p50_ms": round(found[len(found) // 2] * 1000, 2),
        "p99_ms": round(found[int(len(found) * 0.99) - 1] * 1000, 2),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    url, key, *numbers = sys.argv[1:]
    connections, count, per_s = ([float(text) for text in numbers] + [0.0])[:3]
    run(main(url, key, int(connections), int(count), per_s))
