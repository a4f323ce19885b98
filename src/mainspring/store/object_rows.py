"""Large texts and uploads in the database, for servers that share no directory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from mainspring.errors import NotFound
from mainspring.ids import SHARDS
from mainspring.store.changes import Row
from mainspring.store.database import Call, Database
from mainspring.store.objects import Held, Stored, Upload, is_reference

PART: Final = 256 * 1024
"""Characters of one row."""
AT_ONCE: Final = 10
"""Objects that one transaction moves or deletes."""
_ASIDE: Final = "-"
"""Behind the name of an object that is aside."""


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
        values = {"shard": _shard(ref), "object_id": ref, "aside": ref + _ASIDE}
        found = await self._database.fetch("object_get", tuple[str], values)
        if not found:
            raise NotFound(f"object {ref} is gone from the database; it was removed.")
        return "".join(data for (data,) in found)

    async def drop(self, ref: str) -> None:
        if is_reference(ref):
            await self._database.write(*_calls("object_drop", [ref, ref + _ASIDE]))

    async def page(self, after: str, most: int) -> list[Stored]:
        shard = _shard(after) if after else -1
        values = {"shard": shard, "after": after, "most": most}
        found = await self._database.fetch("object_page", tuple[str, int | None], values)
        return [Stored(name, name.removesuffix(_ASIDE), at) for name, at in found]

    async def lay_aside(self, refs: Sequence[str], now: int, held: Held) -> None:
        for some in _some(refs):
            spare = _calls("object_spare", [ref + _ASIDE for ref in some])
            calls = spare + _calls("object_aside", some, now=now)
            await self._database.write(*calls, fence=held)

    async def take_back(self, refs: Sequence[str], held: Held) -> None:
        for some in _some(refs):
            aside = [ref + _ASIDE for ref in some]
            calls = _calls("object_back", some) + _calls("object_spare", aside)
            await self._database.write(*calls, fence=held)

    async def expire(self, refs: Sequence[str], before: int, held: Held) -> None:
        for some in _some(refs):
            aside = [ref + _ASIDE for ref in some]
            await self._database.write(*_calls("object_expire", aside, before=before), fence=held)

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


def _calls(statement: str, names: Iterable[str], **values: Any) -> list[Call]:
    """The statement for these objects, once for each shard they are in."""
    return [
        (statement, {"shard": shard, **values}, [(name,) for name in some])
        for shard, some in groupby(sorted(names, key=_place), _shard)
    ]


def _some(refs: Sequence[str]) -> Iterable[Sequence[str]]:
    return (refs[start : start + AT_ONCE] for start in range(0, len(refs), AT_ONCE))


def _rows(text: str) -> list[Row]:
    """The text in numbered parts; an empty one is one part."""
    starts = range(0, max(len(text), 1), PART)
    return [(number, text[start : start + PART]) for number, start in enumerate(starts)]


def _place(name: str) -> tuple[int, str]:
    return _shard(name), name


def _shard(name: str) -> int:
    return int(name[:8], 16) % SHARDS
