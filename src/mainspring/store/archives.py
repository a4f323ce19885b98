"""The archive as the engine sees it: its list and the rows that go there, over the database port;
and the port to where its files are kept. No decisions.

Every coroutine over the database may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from mainspring.store.archived import ArchiveFile, Kind
from mainspring.store.changes import Row
from mainspring.store.database import Database

MOST: Final = 2_000
"""Rows that are read at once of what belongs to runs."""
_INTO: Final[dict[str, tuple[Any, tuple[int, ...]]]] = {
    "step": (
        tuple[str, int, str, int, str, str, int, int, int | None, str, str | None, str | None],
        (2, 3),
    ),
    "log": (tuple[str, int, int, str, str, str | None], (1,)),
    "span": (
        tuple[str, str, str, str, str, str, int, int, str | None, str, int, int, int, str],
        (1,),
    ),
    "stream": (tuple[str, str, int, int, str], (1, 2)),
    "input": (tuple[str, str, int, int, str | None, str | None], (1, 2)),
}
"""What rows are read as, and where in them the rest of their key is."""


class ArchiveRow(Struct, array_like=True):
    """An archive: see the table `archive`."""

    shard_id: int
    archive_id: str
    kind: Kind
    state: str
    place: str
    first_id: str
    last_id: str
    files: str
    created_at: int

    @property
    def shown(self) -> list[ArchiveFile]:
        """Its files."""
        return msgspec.json.decode(self.files, type=list[ArchiveFile])


class Depot(Protocol):
    """Where the files of archives are kept. Every coroutine may raise `ArchiveFailed`."""

    @property
    def place(self) -> str:
        """Where that is, without secrets."""
        ...

    async def write(
        self, table: str, name: str, parts: AsyncIterator[Sequence[Row]]
    ) -> ArchiveFile | None:
        """Write these rows as one file. On return it is durable and was found to be what was
        written; before, it is not there. None without any row. What `parts` raises is passed on.
        """
        ...

    async def ids(self, table: str, name: str) -> list[str] | None:
        """The first column of a file, in its order; None when there is no such file."""
        ...

    async def remove(self, table: str, name: str) -> None:
        """Remove a file and what is left of writing it, if there is any."""
        ...

    async def check(self) -> None:
        """Write something, read it and remove it."""
        ...

    def close(self) -> None:
        """End after what is under way; returns at once."""
        ...


class Archives:
    """What has been archived of a shard, and what is to be. Writes hold only while the shard is
    held with that epoch. Raises: FencedOut.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, epoch: int, row: ArchiveRow) -> None:
        """Say that an archive is being written."""
        values = {
            "shard": row.shard_id,
            "archive_id": row.archive_id,
            "kind": row.kind,
            "place": row.place,
            "first_id": row.first_id,
            "last_id": row.last_id,
            "now": row.created_at,
        }
        await self._database.write(("archive_add", values, ()), fence=(row.shard_id, epoch))

    async def written(self, epoch: int, row: ArchiveRow) -> None:
        """Say that these files are durable."""
        values = {"shard": row.shard_id, "archive_id": row.archive_id, "files": row.files}
        await self._database.write(("archive_written", values, ()), fence=(row.shard_id, epoch))

    async def dropped(self, epoch: int, row: ArchiveRow) -> None:
        """Say that what it holds is deleted."""
        await self._say("archive_dropped", epoch, row)

    async def forget(self, epoch: int, row: ArchiveRow) -> None:
        """Say that it was never written."""
        await self._say("archive_forget", epoch, row)

    async def open(self, shard_id: int) -> list[ArchiveRow]:
        """Archives that are not over, the oldest first."""
        return await self._database.fetch("archive_open", ArchiveRow, {"shard": shard_id})

    async def holding(self, shard_id: int, id_: str) -> ArchiveRow | None:
        """An archive in which that run or batch is, if it ever was."""
        values = {"shard": shard_id, "id": id_}
        found = await self._database.fetch("archive_holding", ArchiveRow, values)
        return found[0] if found else None

    async def page(self, shard_id: int, after: str, limit: int) -> list[ArchiveRow]:
        """Archives after that id, the oldest first."""
        values = {"shard": shard_id, "after": after, "most": limit}
        return await self._database.fetch("archive_page", ArchiveRow, values)

    async def rows(
        self, shard_id: int, table: str, run_ids: Sequence[str]
    ) -> AsyncIterator[list[Row]]:
        """What belongs to these runs in a table, with references in the last column if it may have
        any; run by run in the order of the ids, in parts of bounded size.
        """
        into, _ = _INTO[table]
        values = {"shard": shard_id, "most": MOST + 1}
        rows = [(run_id,) for run_id in run_ids]
        found = await self._database.fetch(f"old_{table}", into, values, rows)
        if len(found) <= MOST:
            yield sorted(found, key=_key)
        elif len(run_ids) > 1:
            middle = len(run_ids) // 2
            for half in (run_ids[:middle], run_ids[middle:]):
                async for part in self.rows(shard_id, table, half):
                    yield part
        else:
            async for part in self._of_one(shard_id, table, run_ids[0]):
                yield part

    async def _of_one(self, shard_id: int, table: str, run_id: str) -> AsyncIterator[list[Row]]:
        into, key = _INTO[table]
        after: dict[str, Any] = {"after": "", "number": -1}
        found: list[Any] = [None] * MOST
        while len(found) == MOST:
            values = {"shard": shard_id, "run_id": run_id, "most": MOST, **after}
            found = await self._database.fetch(f"old_{table}_of", into, values)
            if found:
                yield found
                last = [found[-1][at] for at in key]
                after = {("after" if isinstance(one, str) else "number"): one for one in last}

    async def _say(self, name: str, epoch: int, row: ArchiveRow) -> None:
        values = {"shard": row.shard_id, "archive_id": row.archive_id}
        await self._database.write((name, values, ()), fence=(row.shard_id, epoch))


def _key(row: Row) -> Row:
    return row[:3]
