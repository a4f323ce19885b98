"""Subscribers that cost as little as they can: raw HTTP on asyncio streams, for benchmarks, tests.

Each keeps one connection, comes back by itself after a break, and tells what it was told.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

Told = Callable[[str, str, Any], None]
"""Takes the kind of what came ("run", "log", "end"), its place, and its data."""

LOST = (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)


class Subscriber:
    """What all have in common: a path, a place, and a connection that may break at any time."""

    def __init__(self, port: int, key: str, path: str, told: Told) -> None:
        self.path = path
        self.ended = False
        self.connected = 0
        self.broken = 0
        self._port = port
        self._told = told
        self._head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"

    async def run(self) -> None:
        """Until it is told everything, or cancelled."""
        while not self.ended:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(random.uniform(0.05, 0.5))
                continue
            try:
                await self.talk(reader, writer)
            except LOST:
                self.broken += 1
                await asyncio.sleep(random.uniform(0.05, 0.5))
            finally:
                writer.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use one connection. Raises: one of `LOST` when it breaks."""
        raise NotImplementedError

    def ask(self, writer: asyncio.StreamWriter, path: str, more: str = "") -> None:
        writer.write(f"GET {path} HTTP/1.1\r\n{self._head}{more}\r\n".encode())

    async def head(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer."""
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.split("\r\n")
        status = int(first.split(" ")[1])
        return status, dict(line.lower().split(": ", 1) for line in lines if line)


class Events(Subscriber):
    """Server-sent events of a run."""

    last = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
        self.ask(writer, self.path, f"Accept: text/event-stream\r\n{last}")
        status, _ = await self.head(reader)
        self.connected += 1
        if status == 204:
            self.ended = True
            return
        if status != 200:
            raise ValueError(f"status {status}")
        name = place = ""
        while True:
            line = await reader.readuntil(b"\n")
            if line.startswith(b"id: "):
                place = line[4:-1].decode()
            elif line.startswith(b"event: "):
                name = line[7:-1].decode()
            elif line.startswith(b"data: "):
                self.last = place
                self._told(name, place, json.loads(line[6:]))
                if name == "end":
                    self.ended = True
                    return
            elif line == b"0\r\n":  # the last chunk: the server says goodbye
                raise EOFError


class Poll(Subscriber):
    """The shape of a run, as a long poll."""

    offset = "-1"
    handle = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not self.ended:
            live = f"&handle={self.handle}&live=true&cursor=" if self.handle else ""
            self.ask(writer, f"{self.path}?offset={self.offset}{live}")
            status, headers = await self.head(reader)
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.connected += 1
            if status != 200:
                raise ValueError(f"status {status}")
            self.handle, self.offset = headers["electric-handle"], headers["electric-offset"]
            for message in body[:-1]:
                row = message["value"]
                self._told("run", self.offset, row)
                self.ended = row["completedAt"] is not None
