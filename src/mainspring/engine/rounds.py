"""Compares memory with the rows, a slice at a time, while the owner works; asks to heal it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from mainspring.dispatch.audit import audit_queue
from mainspring.engine.state import State
from mainspring.errors import StoreUnavailable
from mainspring.store.protocol import Store

SLICE: Final = 200
LANES: Final = 500
"""A queue with more keys is not recounted: that would take longer than a turn."""
WALK: Final = 300
"""Rings between two walks over the table itself. While somebody holds a snapshot of the database, a
walk passes every row that has gone since; what memory holds is looked up by key instead."""

Held = tuple[str, int, int, str]
"""(run id, epoch, attempt, session id) of an active run."""

log = logging.getLogger("mainspring.engine")


class Rounds:
    """Goes round the active runs and the queues of a shard.

    `is_due`: something has been committed that has not been looked at. `differences` counts what
    was found.
    """

    def __init__(self, state: State, store: Store) -> None:
        self.is_due = False
        self.differences = 0
        self._state = state
        self._store = store
        self._after = ""
        self._commits = -1
        self._queue = 0
        self._rung = WALK
        self._walks = True

    def ring(self, commits: int) -> bool:
        """Whether to look now, after so many commits in all."""
        self._rung += 1
        self.is_due = self._after != "" or commits != self._commits
        return self.is_due

    async def look(self, commits: int, heal: Callable[[], Awaitable[bool]]) -> None:
        """Look at the next slice, while no commit is in flight. `heal` reads all of memory anew, if
        that is needed any more; it raises FencedOut when another owner has made the difference.
        """
        self.is_due = False
        try:
            found = await self._compare(commits)
        except StoreUnavailable as error:
            log.debug("%s", error.message)
            return
        if found and await heal():
            self.differences += len(found)
            shown = "; ".join(found[:5])
            log.error("memory of shard %s differed: %s", self._state.shard_id, shown)

    async def _compare(self, commits: int) -> list[str]:
        if not self._after:
            self._commits = commits
            self._walks = self._rung >= WALK
            self._rung = 0 if self._walks else self._rung
        rows, held = await (self._walk() if self._walks else self._look_up())
        lines = [f"active run {row}: in the rows only" for row in sorted(rows - held)]
        lines += [f"active run {row}: in memory only" for row in sorted(held - rows)]
        return lines + self._recount()

    async def _walk(self) -> tuple[set[Held], set[Held]]:
        """The next rows, whatever memory says, and what it should say."""
        after = self._after
        found = await self._store.live.holding(self._state.shard_id, after, SLICE)
        last = found[-1][0] if len(found) == SLICE else "\U0010ffff"
        self._after = last if len(found) == SLICE else ""
        return set(found), self._held(run for run in self._state.lives if after < run <= last)

    async def _look_up(self) -> tuple[set[Held], set[Held]]:
        """The rows of the next runs that memory holds, and what it says."""
        ids = sorted(run for run in self._state.lives if run > self._after)[:SLICE]
        held = self._held(ids)
        self._after = ids[-1] if len(ids) == SLICE else ""
        return set(await self._store.live.held(self._state.shard_id, ids)), held

    def _held(self, run_ids: Iterable[str]) -> set[Held]:
        lives = (self._state.lives[run_id] for run_id in run_ids)
        return {(live.run_id, live.epoch, live.attempt, live.session.id) for live in lives}

    def _recount(self) -> list[str]:
        """Recount what the scheduler counts of one queue."""
        queues = [
            queue
            for env in self._state.core.tree.environments.values()
            for queue in env.queues.values()
        ]
        if not queues:
            return []
        self._queue = (self._queue + 1) % len(queues)
        queue = queues[self._queue]
        return audit_queue(queue) if len(queue.keys) <= LANES else []
