"""Deleting what nobody can ask for any more, a portion at a time."""

from __future__ import annotations

import contextlib
from typing import Final

from mainspring.engine.owner import Owner
from mainspring.engine.requests import SLOT_MS
from mainspring.errors import FencedOut

PORTION: Final = 2_000
"""With every tick of the engine: more in a second than any server takes in one."""


async def look(owner: Owner, keep_ms: int) -> None:
    """Forget what may be forgotten. `keep_ms`: how long ended runs stay, 0 = for ever.

    Raises: StoreUnavailable.
    """
    await requests(owner)
    if keep_ms:
        with contextlib.suppress(FencedOut):  # the next turn of the owner finds out, too
            await owner.retention.look(
                owner.epoch, owner.state.clock.now(), keep_ms, sorted(owner.state.environments)
            )


async def requests(owner: Owner) -> None:
    """Forget requests that are too old to be repeated, if there may be any."""
    oldest = owner.state.clock.now() // SLOT_MS - 1
    if oldest == owner.forgotten:
        return
    found = await owner.store.batches.forget_requests(owner.state.shard_id, oldest, PORTION)
    if found < PORTION:
        owner.forgotten = oldest
