"""Deleting what nobody can ask for any more, a portion at a time."""

from __future__ import annotations

import contextlib
from typing import Final

from mainspring.engine.owner import Owner
from mainspring.engine.requests import SLOT_MS
from mainspring.errors import FencedOut

HOUR_MS: Final = 3_600_000
PORTION: Final = 2_000
"""With every tick of the engine: more in a second than any server takes in one."""


async def look(owner: Owner, keep_ms: int, keep_lines_ms: int = 0) -> None:
    """Forget what may be forgotten. `keep_ms`: how long ended runs and tokens stay, 0 = for ever;
    `keep_lines_ms`: how long lines and spans do, 0 = as long as their runs.

    Raises: StoreUnavailable.
    """
    await requests(owner)
    if keep_ms:
        with contextlib.suppress(FencedOut):  # the next turn of the owner finds out, too
            epoch, now = owner.epoch, owner.state.clock.now()
            await owner.retention.look(epoch, now, keep_ms, sorted(owner.state.environments))
            await owner.spent.look(epoch, now, keep_ms)
            await owner.unused.look(epoch, now)

    now = owner.state.clock.now()
    if keep_lines_ms and now >= owner.retention.lines_due:
        found = 0
        with contextlib.suppress(FencedOut):
            shard_id, before = owner.state.shard_id, now - keep_lines_ms
            found = await owner.store.past.forget_lines(shard_id, owner.epoch, before, PORTION)
        if not found:
            owner.retention.lines_due = now + HOUR_MS


async def requests(owner: Owner) -> None:
    """Forget requests that are too old to be repeated, if there may be any."""
    oldest = owner.state.clock.now() // SLOT_MS - 1
    if oldest == owner.retention.forgotten:
        return
    found = await owner.store.batches.forget_requests(owner.state.shard_id, oldest, PORTION)
    if found < PORTION:
        owner.retention.forgotten = oldest
