"""A client of server-sent events that comes back with the id of the last one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2


class Event(NamedTuple):
    """One event as a browser gives it."""

    name: str
    id: str
    data: Any


class EventSource:
    """One connection after the other; `last` is the id that the next one sends."""

    def __init__(self, client: httpx2.AsyncClient, path: str, last: str = "") -> None:
        self.client = client
        self.path = path
        self.last = last
        self.retry: list[int] = []
        self.status = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[Event]]:
        """A connection, as its events."""
        headers = {"accept": "text/event-stream"}
        if self.last:
            headers["last-event-id"] = self.last
        async with self.client.stream("GET", self.path, headers=headers, timeout=20) as response:
            self.status = response.status_code
            yield self._events(response)

    async def all(self) -> list[Event]:
        """Everything of one connection until the server ends it."""
        async with self.open() as events:
            return [event async for event in events]

    async def _events(self, response: httpx2.Response) -> AsyncIterator[Event]:
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            if "retry" in fields:
                self.retry.append(int(fields["retry"]))
            if "data" in fields:
                self.last = fields.get("id", self.last)
                yield Event(fields["event"], self.last, json.loads(fields["data"]))
            fields = {}
