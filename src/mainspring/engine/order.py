"""Orders for runs that need more than their claim tells: stored texts, metadata, the journal.

They are read beside the turns; what happens to the run meanwhile is told with the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from mainspring.engine import deaths, journal
from mainspring.engine.cancel import GRACE_MS
from mainspring.engine.finish import policy_of
from mainspring.engine.live import Live
from mainspring.model.run import Run
from mainspring.store.changes import Claimed
from mainspring.store.objects import Objects
from mainspring.store.protocol import Store
from mainspring.store.waiting import JournalRow
from mainspring.wire.worker import Cancel, Entry, Execute, Resolved, Resume, ToWorker

_NO_TEXT: Final = Entry("", 0, "")


class Wish(Struct):
    """A run whose order is to be put together. `row` is None when it only goes on, or is told."""

    live: Live
    row: Claimed | None = None


class Known(Struct):
    """What was read for several orders, by run id."""

    runs: dict[str, Run]
    history: dict[str, list[JournalRow]]


async def read(store: Store, shard_id: int, wishes: Sequence[Wish]) -> Known:
    """Read what the orders need, all runs in one statement each. Raises: StoreUnavailable."""
    again = sorted(wish.live.run_id for wish in wishes if has_past(wish.live))
    wanted = sorted(wish.live.run_id for wish in wishes if wish.row and has_metadata(wish.live))
    runs = await store.runs.many(shard_id, wanted) if wanted else []
    history: dict[str, list[JournalRow]] = {}
    for row in await store.waits.history(shard_id, again) if again else ():
        history.setdefault(row.run_id, []).append(row)
    return Known({run.id: run for run in runs}, history)


def has_past(live: Live) -> bool:
    """Whether the run may have a journal."""
    return live.epoch > 1 or live.waited


def has_metadata(live: Live) -> bool:
    """Whether metadata or tags may stand beside the run."""
    return live.epoch > 1 or (live.options is not None and live.options.has_metadata)


class Order:
    """One order with everything that it needs."""

    def __init__(self, wish: Wish, known: Known) -> None:
        run_id = wish.live.run_id
        self.live = wish.live
        self._row = wish.row
        self._run = known.runs.get(run_id)
        rows = known.history.get(run_id, [])
        self._entries = [
            journal.entry_of(row)
            for row in rows
            if row.kind not in journal.OWN and row.key != journal.START
        ]
        starts = [row for row in rows if row.key == journal.START]
        self._generation = starts[0].generation if starts else 0
        self._start = journal.entry_of(starts[0]) if starts else _NO_TEXT
        self._machine = _machine_of(wish.live, rows)
        self._apart = deaths.suspected(rows)
        self._payload: str | None = None

    async def complete(self, objects: Objects) -> None:
        """Fetch the stored texts. Raises: NotFound for one that is gone, StoreUnavailable."""
        if self._row is None or self.live.before:
            self._entries = [entry for entry in self._entries if entry.kind in journal.WAITS]
        else:
            await journal.fetch_data(objects, [self._start])
            self._payload = self._row.payload if self._start.data is None else self._start.data
            if self._payload is None:
                self._payload = await objects.get(self._row.payload_ref or "")
        await journal.fetch_data(objects, self._entries)

    async def complete_untold(self, objects: Objects) -> None:
        """Fetch the stored texts of outcomes that came meanwhile. Raises: as `complete`."""
        while any(entry.ref and entry.data is None for entry in self.live.untold or ()):
            await journal.fetch_data(objects, list(self.live.untold or ()))

    def orders(self) -> list[ToWorker]:
        """The orders as they are at this moment; from now on outcomes are told by themselves."""
        live = self.live
        known = {entry.key for entry in self._entries}
        late = [entry for entry in live.untold or () if entry.key not in known]
        entries = [*self._entries, *late]
        live.untold = None
        told: list[ToWorker] = []
        if live.before:
            told.append(Resume(live.run_id, live.epoch, live.before, entries))
        elif self._row is not None:
            told.append(self._execute(self._row, entries))
        elif entries:
            return [Resolved(live.run_id, live.epoch, entries)]
        if told and live.cancel_at is not None:
            told.append(Cancel(live.run_id, live.epoch, GRACE_MS))
        return told

    def _execute(self, row: Claimed, entries: list[Entry]) -> Execute:
        order = execute(self.live, self._payload or "null", row)
        order.journal = entries
        order.generation = self._generation
        order.apart = self._apart
        if self._run is not None:
            order.metadata = self._run.metadata
            order.tags = self._run.tags
        if self._machine:
            order.machine = self._machine
        return order


def _machine_of(live: Live, rows: Sequence[JournalRow]) -> str:
    """The preset that the last attempt asked for, which keeps it as its entry's fingerprint."""
    for row in reversed(rows):
        if row.kind == "attempt" and row.seq == live.attempt - 1:
            return row.fingerprint
    return ""


def execute(live: Live, payload: str, row: Claimed) -> Execute:
    """The order for a claimed run."""
    options, spec = live.options, live.spec
    return Execute(
        live.run_id,
        live.epoch,
        live.attempt,
        live.task,
        payload,
        live.queue,
        live.ckey,
        policy_of(live).max_attempts,
        (options.max_duration_ms if options is not None else None)
        or (spec.max_duration_ms if spec is not None else None),
        row.created_at,
        options.tags if options is not None else (),
        None,
        (options.idempotency_shown or options.idempotency_key) if options is not None else None,
        row.parent_id,
        row.root_id,
        row.depth,
        bool(row.is_test),
        live.version,
        options.priority_ms if options is not None else 0,
        live.active_ms,
        machine=options.machine if options is not None else None,
        trace=options.trace if options is not None else None,
    )
