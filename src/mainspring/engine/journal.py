"""Plan entries of runs' journals: what their code has done and been told. Waits: `engine.wait`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import astuple

from mainspring.engine import held
from mainspring.engine.batch import Batch, Facts
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.store.objects import Objects
from mainspring.store.waiting import JournalRow
from mainspring.wire.worker import Entry, Record

START: Final = "!start"
"""The key of the first entry of every generation but 0; its data is the new payload, if any."""
OWN: Final = frozenset({"attempt", "lost"})
"""Kinds of entries that the engine makes for itself; no worker sees them."""
WAITS: Final = frozenset({"time", "run", "token", "event", "input"})


def record(state: State, batch: Batch, facts: Facts, session: Session, message: Record) -> None:
    """The code of a run has made entries. What is there already stays."""
    live = held.attempt(state, batch, facts, session, message.run_id, message.epoch)
    if live is not None:
        for entry in message.entries:
            write(batch, facts, live.run_id, live.epoch, message.generation, entry)


def write(
    batch: Batch, facts: Facts, run_id: str, epoch: int, generation: int, entry: Entry
) -> None:
    """Put an entry into the commit; its data is kept apart when `ref` names the stored object."""
    row = JournalRow(
        run_id,
        entry.key,
        generation,
        entry.kind,
        epoch,
        entry.status,
        entry.data if entry.ref is None else None,
        entry.started_at,
        entry.ended_at,
        entry.seq,
        entry.ref,
        entry.fingerprint,
    )
    facts.journal.setdefault((run_id, entry.key, generation), row)
    batch.changes.journal.append(astuple(row))


def entry_of(row: JournalRow) -> Entry:
    """A stored entry as the worker is told it."""
    return Entry(
        row.key,
        row.seq,
        row.kind,
        row.status,
        row.data,
        row.data_ref,
        row.fingerprint,
        row.started_at,
        row.ended_at or 0,
    )


async def fetch_data(objects: Objects, entries: Sequence[Entry]) -> None:
    """Put stored data back into its entries. Raises: NotFound, StoreUnavailable."""
    apart = [entry for entry in entries if entry.ref is not None and entry.data is None]
    texts = await asyncio.gather(*(objects.get(entry.ref or "") for entry in apart))
    for entry, text in zip(apart, texts, strict=True):
        entry.data = text
