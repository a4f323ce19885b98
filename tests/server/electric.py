"""A client of run shapes that follows the protocol as `@electric-sql/client` does."""

from __future__ import annotations

import json
from typing import Any

import httpx2

CONTROL = {"up-to-date", "must-refetch"}


class Electric:
    """One subscription: its place in the shape, and what it was told, in order."""

    def __init__(self, client: httpx2.AsyncClient, path: str, **query: str) -> None:
        self.client = client
        self.path = path
        self.query = query
        self.offset = "-1"
        self.handle = ""
        self.cursor = ""
        self.live = False
        self.rows: dict[str, dict[str, Any]] = {}
        self.told: list[tuple[str, str]] = []
        self.schema: dict[str, Any] = {}

    async def ask(self) -> httpx2.Response:
        """One request, and what it brings."""
        query = dict(self.query, offset=self.offset, log="full")
        if self.handle:
            query["handle"] = self.handle
        if self.live:
            query |= {"live": "true", "cursor": self.cursor}
        response = await self.client.get(self.path, params=dict(sorted(query.items())))
        assert response.status_code < 500, response.text
        if response.status_code == 409:
            assert response.json() == [{"headers": {"control": "must-refetch"}}]
            assert response.headers["electric-handle"] != self.handle
            self.handle = response.headers["electric-handle"]
            self.offset, self.live, self.rows = "-1", False, {}
        elif response.status_code == 200:
            self.take(response)
        return response

    def take(self, response: httpx2.Response) -> None:
        """Apply an answer. Without the headers that it needs, the real client fails too."""
        headers = response.headers
        assert headers["cache-control"] == "no-store"
        assert headers["content-type"] == "application/json"
        self.handle, self.offset = headers["electric-handle"], headers["electric-offset"]
        if self.live:
            self.cursor = headers["electric-cursor"]
        else:
            self.schema = json.loads(headers["electric-schema"])
            assert "electric-up-to-date" in headers
        *messages, last = response.json()
        assert last == {"headers": {"control": "up-to-date"}}
        for message in messages:
            old = self.rows.get(message["key"], {})
            value = self.rows[message["key"]] = old | message["value"]
            assert message["key"] == f'"public"."TaskRun"/"{value["id"]}"'
            self.told.append((message["headers"]["operation"], value["friendlyId"]))
        self.live = True

    def row(self) -> dict[str, Any]:
        """The only row."""
        (row,) = self.rows.values()
        return row
