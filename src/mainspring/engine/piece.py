"""Plan one piece of a bulk action: some runs canceled or replayed, and how far it has come, in one
commit. So a piece is done once, whatever crashes.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.engine import requests
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.cancel import cancel
from mainspring.engine.intake import Prepared
from mainspring.engine.state import State
from mainspring.engine.trigger import plan_one
from mainspring.store.operating import BulkRow

KEYS: Final = "!bulk:"
"""Begins the keys of requests for bulk actions; no task is named so."""


class Begin(Struct):
    """Somebody wants a bulk action; answered with its id, or that of the one made by the same
    request before.
    """

    row: BulkRow
    key: str | None
    future: Future[str]

    def want(self, wanted: Wanted) -> None:
        if self.key is not None:
            wanted.requests.add((self.row.env_id, f"{KEYS}{self.key}"))

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; planned again after a doubtful commit they are the same ones."""
        if self.key is not None:
            id_ = (self.row.env_id, f"{KEYS}{self.key}")
            made = facts.requests.get(id_)
            if made is not None:
                batch.answer(self.future, made)
                return True
            requests.keep(batch, facts, id_, self.row.bulk_id)
        batch.changes.bulk.append(msgspec.structs.astuple(self.row))
        batch.answer(self.future, self.row.bulk_id)
        return True


class Step(Struct):
    """How far a bulk action has come; written as it stands."""

    row: BulkRow
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        """Nothing has to be known."""

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the row."""
        batch.changes.bulk.append(msgspec.structs.astuple(self.row))
        batch.answer(self.future, None)
        return True


class CancelPiece(Struct):
    """These runs of the action's environment are canceled; ended ones stay as they are."""

    row: BulkRow
    run_ids: Sequence[str]
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        wanted.located.update(self.run_ids)
        wanted.ending.update(self.run_ids)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed one of the runs."""
        if not batch.touched.isdisjoint(self.run_ids):
            return False
        changes, row = batch.changes, self.row
        for run_id in self.run_ids:
            located = facts.located.get(run_id)
            if located is not None:
                cancel(state, batch, located)
            changes.mark.append((row.env_id, "bulk", row.bulk_id, run_id))
        changes.bulk.append(msgspec.structs.astuple(row))
        batch.answer(self.future, None)
        return True


class ReplayPiece(Struct):
    """New runs of these requests. Planned again after a doubtful commit, it looks first which of
    them are there.
    """

    row: BulkRow
    items: list[Prepared]
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        for item in self.items:
            item.repeat = item.run_id is not None
            if item.run_id is not None:
                wanted.known.add(item.run_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows."""
        for item in self.items:
            plan_one(state, batch, facts, self.row.env_id, item, None)
        batch.changes.bulk.append(msgspec.structs.astuple(self.row))
        batch.answer(self.future, None)
        return True
