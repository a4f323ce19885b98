"""Deleting stored objects that no row refers to any more, a piece at a time."""

from __future__ import annotations

from typing import Final

from mainspring.engine.state import State
from mainspring.engine.trigger import REF
from mainspring.errors import CommitRejected, NotFound
from mainspring.store.changes import REFERRING, Changes
from mainspring.store.objects import Held, Objects, Stored
from mainspring.store.protocol import Store

EVERY_MS: Final = 30 * 60 * 1000
ASIDE_MS: Final = 60 * 60 * 1000
"""How long an object is aside before it is deleted."""
CALM_MS: Final = 10 * 60 * 1000
GAP_MS: Final = 5 * 60 * 1000
PIECE: Final = 100
"""Objects that are looked at together."""
SHARDS: Final = 20
"""Shards that are asked for them with one tick of the engine."""
REST: Final = 100
"""How many times as long as a walk took we rest after it."""


async def hold(objects: Objects, changes: Changes, held: Held) -> None:
    """Have everything in its place that these rows are about to refer to.

    Raises: CommitRejected when an object is gone, StoreUnavailable, FencedOut.
    """
    refs = {
        row[at]
        for name, places in REFERRING.items()
        for row in getattr(changes, name)
        for at in places
    }
    refs |= {
        row[-1].removeprefix(REF) for row in changes.debounce if (row[-1] or "").startswith(REF)
    }
    refs.discard(None)
    if not refs:
        return
    await objects.take_back(sorted(refs), held)
    for ref in sorted(refs):
        try:
            await objects.get(ref)
        except NotFound as error:
            raise CommitRejected(
                f"object {ref} was deleted before a row could refer to it, since commits failed "
                "for so long. Nothing was written; repeat the request."
            ) from error


class Unused:
    """Goes through all objects twice an hour, and asks all shards which of them they refer to.

    Nothing counts references, so that no commit and no deletion has to do anything for it, and
    what was put and never referred to goes as well. Objects are shared by all shards: the owner of
    the first one in use goes through all of them.

    Two things happen beside it. A text is put first, and the row that refers to it is committed
    later; and a reference is copied from row to row without a put: from a token or a child into
    the journal of who waits for it, from a debounced payload or a run into another run. So an
    object to which nothing refers is only laid aside, where it can be read. Whoever had its
    reference then has an hour to commit a row; if one is found after that, the object goes back,
    else it is deleted. A text that is put meanwhile makes an object of its own. After a time in
    which we did not look, because the database was away or the machine asleep, others may have
    waited as long with what they have to commit: nothing is deleted for ten minutes. And what is
    committed after commits that failed, however long they did, is looked at before: see `hold`.
    """

    def __init__(self, state: State, store: Store, objects: Objects) -> None:
        self._state = state
        self._store = store
        self._objects = objects
        self._next = 0
        self._seen = 0
        self._calm_at = 0
        self._busy_s = 0.0
        self._after = ""
        self._piece: list[Stored] = []
        self._free: set[str] = set()
        self._shards: list[int] = []

    async def look(self, epoch: int, now: int) -> None:
        """One piece of it, if it is time. Raises: StoreUnavailable, FencedOut."""
        if not 0 <= now - self._seen <= GAP_MS:
            self._calm_at, self._piece = now + CALM_MS, []
        self._seen = now
        if now < self._next:
            return
        began = self._state.clock.monotonic()
        if not self._piece and not await self._begin(now):
            return
        await self._ask()
        if not self._free or not self._shards:
            await self._decide((self._state.shard_id, epoch), now)
        self._busy_s += self._state.clock.monotonic() - began
        if not self._piece and not self._after:
            self._next = now + max(EVERY_MS, int(REST * self._busy_s * 1000))
            self._busy_s = 0.0

    async def _begin(self, now: int) -> bool:
        """Read the next piece; False when another owner does all this."""
        shards = sorted(shard_id for shard_id, _, _ in await self._store.shards.owners())
        if self._state.shard_id != shards[0]:
            self._after, self._next = "", now + EVERY_MS
            return False
        self._piece = await self._objects.page(self._after, PIECE)
        self._free = {one.ref for one in self._piece}
        self._shards = shards
        return True

    async def _ask(self) -> None:
        """Ask some more shards for what is not found yet."""
        for shard_id in self._shards[:SHARDS]:
            if self._free:
                self._free -= await self._store.past.referred(shard_id, sorted(self._free))
            self._shards.remove(shard_id)

    async def _decide(self, held: Held, now: int) -> None:
        """Every shard was asked: move and delete. Broken off, the piece is asked for anew."""
        piece, self._piece = self._piece, []
        objects, free = self._objects, self._free
        aside = [one for one in piece if one.aside_at is not None]
        loose = [one.ref for one in piece if one.aside_at is None and one.ref in free]
        if loose:
            await objects.lay_aside(loose, now, held)
        wanted = [one.ref for one in aside if one.ref not in free]
        if wanted:
            await objects.take_back(wanted, held)
        before = now - ASIDE_MS
        old = [one.ref for one in aside if one.ref in free and (one.aside_at or 0) <= before]
        if old and now >= self._calm_at:
            await objects.expire(old, before, held)
        self._after = piece[-1].name if len(piece) == PIECE else ""
