"""Batches and repeatable requests as the rooms above read them: rows and a protocol. No SQL.

Every coroutine may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class BatchRow(Struct, array_like=True):
    """A batch. `run_count` 0 = its maker does not know yet; `received` counts the items that are
    in, `failed` those of them that became no run. `sealed_at` None = it takes items.
    """

    batch_id: str
    env_id: int
    run_count: int
    received: int
    failed: int
    parent_id: str | None
    idempotency_key: str | None
    idempotency_shown: str | None
    created_at: int
    updated_at: int
    sealed_at: int | None


class ItemRow(Struct, array_like=True, gc=False):
    """An item of a batch: its run, or `error` and `code`, why there is none."""

    batch_id: str
    number: int
    run_id: str | None
    task: str
    error: str | None
    code: str | None


class RequestRow(Struct, array_like=True, gc=False):
    """What a request led to: the id of a run, a batch, or another short text."""

    env_id: int
    key: str
    answer: str


class Batches(Protocol):
    """For the owner of the shard consistent as `Live`; the rest for readers."""

    async def many(self, shard_id: int, batch_ids: Sequence[str]) -> list[BatchRow]:
        """These batches; unknown ones are missing."""
        ...

    async def items(self, shard_id: int, wanted: Sequence[tuple[str, int]]) -> list[ItemRow]:
        """The items of these (batch id, number) that are there."""
        ...

    async def page(self, shard_id: int, batch_id: str, after: int, limit: int) -> list[ItemRow]:
        """The items of a batch after that number, in order."""
        ...

    async def first_open(self, shard_id: int, batch_id: str, since: int) -> int | None:
        """The first item from `since` on whose run has not ended; costs a lookup for each before
        it.
        """
        ...

    async def requests(
        self, shard_id: int, wanted: Sequence[tuple[int, int, str]]
    ) -> list[RequestRow]:
        """What the requests of these (slot, env_id, key) led to; unknown ones are missing."""
        ...

    async def forget_requests(self, shard_id: int, slot: int, limit: int) -> int:
        """Delete requests of slots before that one; how many there were, at most `limit`."""
        ...
