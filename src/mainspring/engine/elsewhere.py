"""What a request is told whose shard has another owner now, and how an owner finds that out."""

from __future__ import annotations

from mainspring.errors import Elsewhere
from mainspring.store.protocol import Store


def elsewhere() -> Elsewhere:
    """Nothing was done; the new owner has to be asked for the same."""
    return Elsewhere("This server does not own the environment any more; repeat the request.")


async def check_held(store: Store, shard_id: int, epoch: int) -> None:
    """After something was written that no commit fences: a new owner may have read before that.

    Raises: Elsewhere when there is one.
    """
    for held, _, now in await store.shards.owners():
        if held == shard_id and now != epoch:
            raise elsewhere()
