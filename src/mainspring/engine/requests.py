"""Requests that clients may repeat: what each has led to is found for an hour or two, then gone."""

from __future__ import annotations

from typing import Final

from mainspring.engine.batch import Batch, Facts, RequestId, Wanted
from mainspring.store.batching import Batches

SLOT_MS: Final = 3_600_000


def keep(batch: Batch, facts: Facts, id_: RequestId, answer: str) -> None:
    """Note what a request has led to, in the rows and for the rest of this turn."""
    batch.changes.request.append((batch.now // SLOT_MS, *id_, answer))
    facts.requests[id_] = answer


async def read(batches: Batches, shard_id: int, wanted: Wanted, now: int, facts: Facts) -> None:
    """Find what these requests have led to, in the present slot and the one before."""
    slot = now // SLOT_MS
    ids = sorted(wanted.requests)
    rows = [(at, *id_) for at in (slot - 1, slot) for id_ in ids]
    for row in await batches.requests(shard_id, rows):
        facts.requests[row.env_id, row.key] = row.answer
