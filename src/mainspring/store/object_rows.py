"""Large texts and uploads in the database, for servers that share no directory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Final

from mainspring.errors import NotFound
from mainspring.ids import SHARDS
from mainspring.store.changes import Row
from mainspring.store.database import Database
from mainspring.store.objects import Upload, is_reference

PART: Final = 256 * 1024
"""Characters of one row."""


class ObjectRows:
    """See `mainspring.store.objects.Objects`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, text: str) -> str:
        name = hashlib.sha256(text.encode()).hexdigest()
        values = {"shard": _shard(name), "object_id": name}
        await self._database.write(("object_put", values, _rows(text)))
        return name

    async def get(self, ref: str) -> str:
        if not is_reference(ref):
            raise NotFound(f"object {ref[:80]!r} is none: a reference has 64 hexadecimal digits.")
        values = {"shard": _shard(ref), "object_id": ref}
        found = await self._database.fetch("object_get", tuple[str], values)
        if not found:
            raise NotFound(f"object {ref} is gone from the database; it was removed.")
        return "".join(data for (data,) in found)

    async def drop(self, ref: str) -> None:
        if is_reference(ref):
            values = {"shard": _shard(ref), "object_id": ref}
            await self._database.write(("object_drop", values, ()))

    async def keep(
        self, place: tuple[int, int], path: str, type_: str, parts: AsyncIterator[str], now: int
    ) -> None:
        rows = _rows("".join([part async for part in parts]))
        values = {
            "shard": place[0],
            "env_id": place[1],
            "path": path,
            "parts": len(rows),
            "type": type_,
            "now": now,
        }
        await self._database.write(("upload_put", values, rows))

    async def kept(self, place: tuple[int, int], path: str) -> Upload | None:
        values = {"shard": place[0], "env_id": place[1], "path": path}
        found = await self._database.fetch("upload_get", tuple[str, str], values)
        return Upload(found[0][0], "".join(data for _, data in found)) if found else None

    async def sweep(self, before: int) -> None:
        await self._database.write(("upload_sweep", {"before": before}, ()))


def _rows(text: str) -> list[Row]:
    """The text in numbered parts; an empty one is one part."""
    starts = range(0, max(len(text), 1), PART)
    return [(number, text[start : start + PART]) for number, start in enumerate(starts)]


def _shard(name: str) -> int:
    return int(name[:8], 16) % SHARDS
