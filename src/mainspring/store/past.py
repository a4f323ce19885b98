"""What is over and may be deleted, as the engine reads and deletes it. No decisions.

Every coroutine may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from msgspec import Struct

from mainspring.store.archives import Archives
from mainspring.store.database import Call, Database

MOST: Final = 5_000
"""Rows that are deleted in one transaction, besides the runs themselves."""
KeyId = tuple[int, str, str, str]
"""(env_id, task, key, run or token id) of an idempotency key."""
_OF_RUNS: Final[dict[str, Any]] = {
    "log": tuple[str, int],
    "span": tuple[str, str],
    "caller": tuple[str],
    "journal": tuple[str, str, int],
    "stream_chunk": tuple[str, str, int],
    "stream": tuple[str, str],
    "input": tuple[str, str, int],
    "run_tag": tuple[int, str, str],
    "run_mark": tuple[int, str, str, str],
}
"""What a run may have many of, and the keys of those rows."""
_LAST: Final = ("drop_metadata", "drop_done", "drop_run")


class PastRow(Struct, array_like=True, gc=False):
    """A run; `finished_at` is None while it lives. `options` is JSON of
    `store.changes.RunOptions`, or "".
    """

    run_id: str
    env_id: int
    task: str
    parent_id: str | None
    options: str
    created_at: int
    finished_at: int | None


class PastBatch(Struct, array_like=True):
    """A batch, and one of its runs if any is left."""

    batch_id: str
    created_at: int
    run_id: str | None


class PastToken(Struct, array_like=True):
    """A token; `ended_at` is None while it waits. `waiter` is a run that waits for it."""

    token_id: str
    env_id: int
    key: str | None
    key_expires_at: int | None
    created_at: int
    ended_at: int | None
    waiter: str | None


class Past:
    """Reads what is old, and deletes it while the shard is held with that epoch.

    A deletion that is broken off is taken up again by the same call: the run goes last. `archives`
    is the list of what went elsewhere before it was deleted.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.archives = Archives(database)

    async def page(self, shard_id: int, after: str, limit: int) -> list[PastRow]:
        """Runs after that id, the oldest first."""
        values = {"shard": shard_id, "after": after, "most": limit}
        return await self._database.fetch("past_page", PastRow, values)

    async def children(self, shard_id: int, run_ids: Sequence[str]) -> list[PastRow]:
        """Every run that these triggered."""
        if "run" not in await self._tables(shard_id, run_ids):
            return []
        rows = [(run_id,) for run_id in run_ids]
        return await self._database.fetch("past_children", PastRow, {"shard": shard_id}, rows)

    async def some(self, shard_id: int, run_ids: Sequence[str]) -> list[PastRow]:
        """Those of these runs that are there."""
        rows = [(run_id,) for run_id in run_ids]
        return await self._database.fetch("old_runs", PastRow, {"shard": shard_id}, rows)

    async def batches(self, shard_id: int, after: str, limit: int) -> list[PastBatch]:
        """Batches after that id, the oldest first."""
        values = {"shard": shard_id, "after": after, "most": limit}
        return await self._database.fetch("past_batches", PastBatch, values)

    async def tokens(self, shard_id: int, after: str, limit: int) -> list[PastToken]:
        """Tokens after that id, the oldest first."""
        values = {"shard": shard_id, "after": after, "most": limit}
        return await self._database.fetch("past_tokens", PastToken, values)

    async def referred(self, shard_id: int, refs: Collection[str]) -> set[str]:
        """Those of these stored objects that a row of the shard refers to."""
        rows = [(ref,) for ref in refs]
        found = await self._database.fetch(
            "objects_referred", tuple[str], {"shard": shard_id}, rows
        )
        return {ref for (ref,) in found}

    async def forget(
        self, shard_id: int, epoch: int, run_ids: Sequence[str], keys: Sequence[KeyId]
    ) -> None:
        """Delete these runs with all that is theirs, in transactions of bounded size.

        Raises: FencedOut when another owner has the shard; what is deleted then stays deleted.
        """
        runs, held = [(run_id,) for run_id in run_ids], (shard_id, epoch)
        tables = await self._tables(shard_id, run_ids)
        for table, into in _OF_RUNS.items():
            if table in tables:
                await self._thin(table, into, held, runs)
        shard = {"shard": shard_id}
        calls: list[Call] = [(name, shard, runs) for name in _LAST]
        if keys:
            calls.append(("drop_key", shard, list(keys)))
        await self._database.write(*calls, fence=held)

    async def forget_lines(self, shard_id: int, epoch: int, before: int, most: int) -> int:
        """The same for lines and spans of before then; how many there were, at most `most` each."""
        values = {"shard": shard_id, "before": before, "most": most}
        lines = await self._database.fetch("past_lines", tuple[str, int], values)
        spans = await self._database.fetch("past_spans", tuple[str, str], values)
        shard = {"shard": shard_id}
        calls: list[Call] = [("drop_log", shard, sorted(lines))] if lines else []
        calls += [("drop_span", shard, sorted(spans))] if spans else []
        if calls:
            await self._database.write(*calls, fence=(shard_id, epoch))
        return len(lines) + len(spans)

    async def forget_batches(self, shard_id: int, epoch: int, batch_ids: Sequence[str]) -> None:
        """The same for batches and their items."""
        rows, held = [(batch_id,) for batch_id in batch_ids], (shard_id, epoch)
        await self._thin("batch_item", tuple[str, int], held, rows)
        await self._database.write(("drop_batch", {"shard": shard_id}, rows), fence=held)

    async def forget_tokens(
        self, shard_id: int, epoch: int, token_ids: Sequence[str], keys: Sequence[KeyId]
    ) -> None:
        """The same for tokens and their idempotency keys."""
        shard = {"shard": shard_id}
        calls: list[Call] = [("drop_token", shard, [(token_id,) for token_id in token_ids])]
        if keys:
            calls.append(("drop_key", shard, list(keys)))
        await self._database.write(*calls, fence=(shard_id, epoch))

    async def _tables(self, shard_id: int, run_ids: Sequence[str]) -> set[str]:
        """Tables that may have rows of these runs, so that the others need not be asked for each;
        `run` = that of their children.
        """
        values = {"shard": shard_id, "first": min(run_ids), "last": max(run_ids)}
        found = await self._database.fetch("past_tables", tuple[str], values)
        return {name for (name,) in found}

    async def _thin(
        self, table: str, into: Any, held: tuple[int, int], owners: Sequence[tuple[str]]
    ) -> None:
        """Delete the rows of a table that belong to these, portion by portion."""
        shard = {"shard": held[0]}
        found: list[Any] = [None] * MOST
        while len(found) == MOST:
            values = {**shard, "most": MOST}
            found = await self._database.fetch(f"past_{table}", into, values, owners)
            found.sort()
            if found:
                await self._database.write((f"drop_{table}", shard, found), fence=held)
