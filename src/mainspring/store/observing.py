"""What people look at across runs, as the rooms above read it: rows and the protocol. No SQL.

Every coroutine may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from mainspring.store.batching import BatchRow
from mainspring.store.operating import Window


class FaultRow(Struct, array_like=True):
    """Failed runs that are alike. `marked_at` 0 = nobody has said anything of them."""

    fingerprint: str
    task: str
    name: str
    place: str
    message: str
    status: str
    found: int
    first_at: int
    last_at: int
    first_run: str
    last_run: str
    first_version: str
    last_version: str
    marked_at: int


class LineRow(Struct, array_like=True, gc=False):
    """A line of a log; `env_id` and `task` are of its run, None when that is deleted."""

    at: int
    run_id: str
    seq: int
    level: str
    message: str
    data: str | None
    env_id: int | None
    task: str | None


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

    async def faults(
        self, shard_id: int, env_id: int, before: tuple[int, str], limit: int
    ) -> list[FaultRow]:
        """Groups before that (time of the last failure, fingerprint), the latest first."""
        ...

    async def fault(self, shard_id: int, env_id: int, fingerprint: str) -> FaultRow | None: ...

    async def mark_fault(
        self, shard_id: int, epoch: int, env_id: int, fingerprint: str, status: str, now: int
    ) -> None:
        """Set the status of a group. Raises: FencedOut."""
        ...

    async def forget_faults(
        self, shard_id: int, epoch: int, env_id: int, before: int, limit: int
    ) -> int:
        """Delete groups whose last failure was before then; how many there were, at most `limit`.

        Raises: FencedOut.
        """
        ...

    async def lines(
        self, shard_id: int, before: tuple[int, str, int], since: int, limit: int
    ) -> list[LineRow]:
        """Lines of all runs before that (time, run id, number), the newest first."""
        ...
