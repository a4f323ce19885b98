"""Writing what retention is about to delete into the archive first. What that is, retention says.

An archive is one file a table, under a name of its own that is in the list before the first file
is begun. Only once all files are durable does the list say `written`, and only then may rows go.
So a crash leaves either files that the next owner removes, or an archive whose rows it deletes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mainspring.engine.old_rows import OldRows
from mainspring.engine.state import State
from mainspring.errors import ArchiveFailed, FencedOut, MainspringError
from mainspring.ids import time_of
from mainspring.store.archived import KINDS, ArchiveFile, Kind
from mainspring.store.archives import ArchiveRow, Depot
from mainspring.store.objects import Objects
from mainspring.store.protocol import Store

MOST: Final = 50_000
"""Runs or batches of one archive, but for the rest of a tree."""
AGAIN_MS: Final = 5 * 60 * 1000
"""When it is tried again after a failure."""

log = logging.getLogger("mainspring.engine")


class Archiving:
    """Makes the archives of one shard, one at a time and beside everything else.

    Attributes:
        depot: where archives go; None = what is deleted is not archived.
        row: the archive whose files are durable and whose rows are to be deleted now.
        left: its ids, when an owner before this one wrote it.
        is_clear: whether what owners before this one left behind has been taken up.
        archived: how many runs and batches were; `bytes` what that took, `failures` how often it
            failed, `is_failing` whether it did so the last time.
    """

    def __init__(self, state: State, store: Store, objects: Objects) -> None:
        self.depot: Depot | None = None
        self.row: ArchiveRow | None = None
        self.left: list[str] = []
        self.is_clear = False
        self.archived = self.bytes = self.failures = 0
        self.is_failing = False
        self._state = state
        self._rows = store.past.archives
        self._old = OldRows(store, objects, state.shard_id, state.environments)
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is under way."""
        return self._task is not None and not self._task.done()

    def begin(self, epoch: int, kind: Kind, ids: Sequence[str]) -> None:
        """Write the archive of these runs or batches; `row` is set once it is durable."""
        self._go(self._write(epoch, kind, sorted(ids)))

    def clear(self, epoch: int) -> None:
        """Take up what is left of earlier archives; `is_clear` is set once it is known."""
        self._go(self._clear(epoch))

    async def done(self, epoch: int) -> None:
        """The rows of `row` are deleted. Raises: FencedOut, StoreUnavailable."""
        assert self.row is not None
        await self._rows.dropped(epoch, self.row)
        self.row = None

    def has_failed(self) -> bool:
        """Whether what was under way came to nothing; said once, and everything begins anew."""
        task = self._task
        if task is None or not task.done():
            return False
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is None:
            return False
        self.failures += 1
        self.is_failing, self.is_clear, self.row, self.left = True, False, None, []
        is_bug = not isinstance(error, MainspringError)
        log.error(
            "shard %s archives nothing and deletes nothing: %s",
            self._state.shard_id,
            error,
            exc_info=error if is_bug else None,
        )
        return True

    async def idle(self) -> None:
        """Wait until nothing is under way (simulation, tests)."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Leave the rest to the next owner."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        assert not self.is_busy
        self._task = asyncio.get_running_loop().create_task(work, name="archive")

    async def _write(self, epoch: int, kind: Kind, ids: list[str]) -> None:
        assert self.depot is not None
        now, shard_id = self._state.clock.now(), self._state.shard_id
        archive_id = self._state.ids.new("archive", now, shard_id)
        row = ArchiveRow(
            shard_id, archive_id, kind, "writing", self.depot.place, ids[0], ids[-1], "[]", now
        )
        await self._rows.add(epoch, row)
        name, files = name_of(row), list[ArchiveFile]()
        try:
            for table in KINDS[kind]:
                file = await self.depot.write(table, name, self._old.of(table, ids))
                if file is not None:
                    files.append(file)
            if not files or files[0].rows != len(ids):
                raise ArchiveFailed(
                    f"{len(ids)} {kind} were to be archived, and not all are there any more. It "
                    "is tried again; tell us if that does not end."
                )
            row = msgspec.structs.replace(
                row, state="written", files=msgspec.json.encode(files).decode()
            )
            await self._rows.written(epoch, row)
        except FencedOut:
            # the new owner may have looked for our files before they were there
            await self._remove(row)
            raise
        self.row, self.is_failing = row, False
        self.archived += len(ids)
        self.bytes += sum(file.bytes for file in files)

    async def _clear(self, epoch: int) -> None:
        assert self.depot is not None
        for row in await self._rows.open(self._state.shard_id):
            if row.state == "writing":
                await self._remove(row)
                await self._rows.forget(epoch, row)
                continue
            found = None
            if row.place == self.depot.place:
                found = await self.depot.ids(KINDS[row.kind][0], name_of(row))
            if found is not None:
                self.row, self.left, self.is_failing = row, found, False
                break
            log.warning(
                "archive %s is not at %s any more; what is left of its rows is archived anew",
                row.archive_id,
                self.depot.place,
            )
            await self._rows.dropped(epoch, row)
        self.is_clear = True

    async def _remove(self, row: ArchiveRow) -> None:
        assert self.depot is not None
        for table in KINDS[row.kind]:
            await self.depot.remove(table, name_of(row))


def name_of(row: ArchiveRow) -> str:
    """The name of its files: the day on which the oldest of what it holds was made, and its id."""
    try:
        day = datetime.fromtimestamp(time_of(row.first_id) / 1000, UTC).date().isoformat()
    except ValueError:
        day = "undated"
    return f"{day}-{row.archive_id}"
