"""Deleting runs that ended long ago, tree by tree and a piece at a time. Not what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from mainspring.engine.archiving import AGAIN_MS, MOST, Archiving
from mainspring.engine.state import State
from mainspring.model.limits import DAY_MS
from mainspring.store.changes import RunOptions
from mainspring.store.objects import Objects
from mainspring.store.past import KeyId, PastRow
from mainspring.store.protocol import Store

EVERY_MS: Final = 60 * 60 * 1000
PAGE: Final = 1_000
"""Runs that are looked at with one tick of the engine."""
PIECE: Final = 500
"""Runs that are deleted with one tick: more in a second than a server usually makes."""
LEVEL: Final = 500
"""Runs whose children are read at once."""

_decode_options = msgspec.json.Decoder(RunOptions).decode


class Retention:
    """Goes through the runs of a shard from the oldest on, again every hour.

    A tree goes as a whole, and only when every run of it ended before the limit and no idempotency
    key in force leads to one of them. With an archive the limit is the beginning of its day, so
    that there are few archives, and what goes is in one before.

    Attributes:
        archiving: writes what goes into the archive, if there is one.
        keep_ms: how long runs stay after their end; 0 = for ever.
        lines_due: when to look for old lines again, epoch ms.
        forgotten: requests of slots before that are deleted.
    """

    def __init__(self, state: State, store: Store, objects: Objects) -> None:
        self._store = store
        self._shard_id = state.shard_id
        self._after = ""
        self._after_batch: str | None = None
        self._next = 0
        self.archiving = Archiving(state, store, objects)
        self.keep_ms = 0
        self.lines_due = 0
        self.forgotten = 0
        self._runs: list[PastRow] = []
        self._batches: list[str] = []
        self._is_full = False

    async def look(self, epoch: int, now: int, keep_ms: int, env_ids: Sequence[int] = ()) -> None:
        """One piece of it, if it is time. `keep_ms` 0 = everything stays. Of these environments
        what is known of failures that are alike goes as well, once none of them is left.

        Raises: StoreUnavailable, FencedOut.
        """
        self.keep_ms = keep_ms
        if not keep_ms or (now < self._next and not self._is_full):
            return
        before = now - keep_ms
        if self.archiving.depot is not None:
            before -= before % DAY_MS
            if not await self._may_go_on(epoch, now):
                return
        if self._is_full:
            await self._drop_piece(epoch)
        elif self._after_batch is not None:
            await self._look_at_batches(now, before)
            for env_id in env_ids:
                faults = self._store.runs.observing
                await faults.forget_faults(self._shard_id, epoch, env_id, before, PAGE)
        else:
            await self._look_at_runs(now, before)

    async def _may_go_on(self, epoch: int, now: int) -> bool:
        """Whether nothing is to be done for the archive first; else it is being done."""
        archiving = self.archiving
        if archiving.is_busy:
            return False
        if archiving.has_failed():
            # from the beginning: while nothing goes, what may go changes
            self._runs, self._batches, self._is_full = [], [], False
            self._after, self._after_batch, self._next = "", None, now + AGAIN_MS
            return False
        if not archiving.is_clear:
            archiving.clear(epoch)
            return False
        if archiving.left:
            await self._take_up(epoch)
        elif self._is_full and archiving.row is None and self._runs:
            archiving.begin(epoch, "runs", [row.run_id for row in self._runs])
            return False
        elif self._is_full and archiving.row is None:
            archiving.begin(epoch, "batches", self._batches)
            return False
        return True

    async def _take_up(self, epoch: int) -> None:
        """Delete what is left of an archive that an owner before this one wrote."""
        archiving = self.archiving
        if archiving.row is not None and archiving.row.kind == "batches":
            self._batches = archiving.left
        else:
            for start in range(0, len(archiving.left), LEVEL):
                piece = archiving.left[start : start + LEVEL]
                self._runs += await self._store.past.some(self._shard_id, piece)
        archiving.left = []
        self._is_full = True
        if not self._runs and not self._batches:
            await self._end_piece(epoch)

    async def _drop_piece(self, epoch: int) -> None:
        past, shard_id = self._store.past, self._shard_id
        if self._runs:
            # children first: what is left of a tree is found again from its root
            piece = self._runs[-PIECE:]
            keys = [key for row in piece if (key := _key(row)) is not None]
            await past.forget(shard_id, epoch, [row.run_id for row in piece], keys)
            del self._runs[-PIECE:]
        elif self._batches:
            await past.forget_batches(shard_id, epoch, self._batches[-PAGE:])
            del self._batches[-PAGE:]
        if not self._runs and not self._batches:
            await self._end_piece(epoch)

    async def _end_piece(self, epoch: int) -> None:
        if self.archiving.row is not None:
            await self.archiving.done(epoch)
        self._is_full = False

    async def _look_at_runs(self, now: int, before: int) -> None:
        page = await self._store.past.page(self._shard_id, self._after, PAGE)
        roots = [row for row in page if row.parent_id is None and _is_over(row, before)]
        self._runs += await self._trees(roots, now, before)
        is_last = len(page) < PAGE or page[-1].created_at >= before
        if is_last:
            self._after, self._after_batch = "", ""
        else:
            self._after = page[-1].run_id
        self._fill(len(self._runs), is_last)

    async def _look_at_batches(self, now: int, before: int) -> None:
        page = await self._store.past.batches(self._shard_id, self._after_batch or "", PAGE)
        self._batches += [
            row.batch_id for row in page if row.created_at < before and row.run_id is None
        ]
        is_last = len(page) < PAGE or page[-1].created_at >= before
        if is_last:
            self._after_batch, self._next = None, now + EVERY_MS
        else:
            self._after_batch = page[-1].batch_id
        self._fill(len(self._batches), is_last)

    def _fill(self, found: int, is_last: bool) -> None:
        """See whether what was found is to go before more is looked for."""
        most = 1 if self.archiving.depot is None else MOST
        self._is_full = found >= most or (is_last and found > 0)

    async def _trees(self, roots: list[PastRow], now: int, before: int) -> list[PastRow]:
        """All runs of those trees that may go, parents before their children."""
        root_of = {row.run_id: row.run_id for row in roots}
        found, kept = list(roots), set[str]()
        at = 0
        while at < len(found):
            level = [
                row.run_id for row in found[at : at + LEVEL] if root_of[row.run_id] not in kept
            ]
            at += LEVEL
            children = await self._store.past.children(self._shard_id, level) if level else []
            for row in children:
                root = root_of[row.run_id] = root_of[row.parent_id or ""]
                if _is_over(row, before):
                    found.append(row)
                else:
                    kept.add(root)
        kept |= {root_of[run_id] for run_id in await self._keyed(found, now)}
        return [row for row in found if root_of[row.run_id] not in kept]

    async def _keyed(self, rows: Iterable[PastRow], now: int) -> set[str]:
        """Those of these runs to which a key in force leads."""
        ids = {key[:3]: key[3] for row in rows if (key := _key(row)) is not None}
        if not ids:
            return set()
        keys = await self._store.live.keys(self._shard_id, list(ids))
        return {key.run_id for key in keys if key.expires_at > now} & set(ids.values())


def _is_over(row: PastRow, before: int) -> bool:
    return row.finished_at is not None and row.finished_at < before


def _key(row: PastRow) -> KeyId | None:
    """The idempotency key under which the run was triggered."""
    key = _decode_options(row.options).idempotency_key if row.options else None
    return None if key is None else (row.env_id, row.task, key, row.run_id)
