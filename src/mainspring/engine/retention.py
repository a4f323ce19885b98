"""Deleting runs that ended long ago, tree by tree and a piece at a time. Not what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from mainspring.store.changes import RunOptions
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
    key in force leads to one of them.

    Attributes:
        lines_due: when to look for old lines again, epoch ms.
        forgotten: requests of slots before that are deleted.
    """

    def __init__(self, store: Store, shard_id: int) -> None:
        self._store = store
        self._shard_id = shard_id
        self._after = ""
        self._after_batch: str | None = None
        self._next = 0
        self.lines_due = 0
        self.forgotten = 0
        self._doomed: list[PastRow] = []

    async def look(self, epoch: int, now: int, keep_ms: int, env_ids: Sequence[int] = ()) -> None:
        """One piece of it, if it is time. `keep_ms` 0 = everything stays. Of these environments
        what is known of failures that are alike goes as well, once none of them is left.

        Raises: StoreUnavailable, FencedOut.
        """
        if not keep_ms or (now < self._next and not self._doomed):
            return
        before = now - keep_ms
        if self._doomed:
            # children first: what is left of a tree is found again from its root
            piece = self._doomed[-PIECE:]
            keys = [_key(row) for row in piece]
            run_ids = [row.run_id for row in piece]
            await self._store.past.forget(
                self._shard_id, epoch, run_ids, [key for key in keys if key is not None]
            )
            del self._doomed[-PIECE:]
        elif self._after_batch is not None:
            await self._look_at_batches(epoch, now, before)
            for env_id in env_ids:
                faults = self._store.runs.observing
                await faults.forget_faults(self._shard_id, epoch, env_id, before, PAGE)
        else:
            await self._look_at_runs(now, before)

    async def _look_at_runs(self, now: int, before: int) -> None:
        page = await self._store.past.page(self._shard_id, self._after, PAGE)
        roots = [row for row in page if row.parent_id is None and _is_over(row, before)]
        self._doomed = await self._trees(roots, now, before)
        if len(page) < PAGE or page[-1].created_at >= before:
            self._after, self._after_batch = "", ""
        else:
            self._after = page[-1].run_id

    async def _look_at_batches(self, epoch: int, now: int, before: int) -> None:
        past, shard_id = self._store.past, self._shard_id
        page = await past.batches(shard_id, self._after_batch or "", PAGE)
        gone = [row.batch_id for row in page if row.created_at < before and row.run_id is None]
        if gone:
            await past.forget_batches(shard_id, epoch, gone)
        if len(page) < PAGE or page[-1].created_at >= before:
            self._after_batch, self._next = None, now + EVERY_MS
        else:
            self._after_batch = page[-1].batch_id

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
