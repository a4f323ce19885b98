"""What people look at across runs, as the rooms above read it: rows and the protocol. No SQL.

Every coroutine may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mainspring.store.batching import BatchRow
from mainspring.store.operating import Window


class Observing(Protocol):
    """Reads whose cost has a bound, however much there is."""

    async def parked(self, shard_id: int, env_id: int, most: int) -> dict[str, int]:
        """Runs without a slot that wait, by kind (delay, retry, wait, version); of the shard's
        first `most` ones.
        """
        ...

    async def ended(
        self, shard_id: int, env_id: int, statuses: Sequence[str], low: str, most: int
    ) -> dict[str, int]:
        """How many runs with ids over `low` ended so, each counted up to `most`; completed ones
        among the newest `most` that ended.
        """
        ...

    async def batches(self, shard_id: int, env_id: int, window: Window) -> list[BatchRow]:
        """By id, which is by time."""
        ...

    async def batch_ends(
        self, shard_id: int, batch_id: str, since: int, limit: int
    ) -> list[tuple[int, int]]:
        """(number, 1 if it is over) of items of a batch from `since` on."""
        ...
