"""A batch whose items all come with one trigger: stored full, in the commit that makes its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from mainspring.engine import requests
from mainspring.engine.batch import Batch, Facts, RequestId, Wanted
from mainspring.engine.intake import Prepared
from mainspring.engine.state import State
from mainspring.model.run import TriggerAnswer
from mainspring.store.batching import BatchRow
from mainspring.store.changes import Row

KEYS: Final = "!items"
"""Before the key of a request; no task is named so."""


class Whole(Struct):
    """The batch of a trigger. `batch_id` is known once it is planned; `again`: it was there, and
    its items tell what the call has led to.
    """

    env_id: int
    request_key: str | None = None
    batch_id: str = ""
    again: bool = False

    def want(self, wanted: Wanted) -> None:
        """Name what has to be looked up."""
        if self.request_key is not None:
            wanted.requests.add(self._request)
        if self.batch_id:  # planned before, in a commit that was doubtful
            wanted.batches.add(self.batch_id)

    def stands(self, state: State, batch: Batch, facts: Facts, items: Sequence[Prepared]) -> bool:
        """Whether it is there already; else it gets its id, and so do its items."""
        made = facts.requests.get(self._request) if self.request_key is not None else None
        if made is not None or self.batch_id in facts.batches:
            self.batch_id, self.again = made or self.batch_id, True
            return True
        self.batch_id = self.batch_id or state.ids.new("batch", batch.now, state.shard_id)
        for item in items:
            item.options.batch_id = self.batch_id
        return False

    def write(
        self,
        batch: Batch,
        facts: Facts,
        items: Sequence[Prepared],
        answers: Sequence[TriggerAnswer],
    ) -> None:
        """The rows, beside those of the runs."""
        count, now = len(items), batch.now
        parent_id = items[0].options.parent_id
        row = BatchRow(
            self.batch_id, self.env_id, count, count, 0, parent_id, None, None, now, now, now
        )
        batch.changes.batch.append(columns(row))
        batch.changes.batch_item.extend(
            (self.batch_id, number, answer.run_id, item.spec.id, None, None)
            for number, (item, answer) in enumerate(zip(items, answers, strict=True))
        )
        if self.request_key is not None:
            requests.keep(batch, facts, self._request, self.batch_id)

    @property
    def _request(self) -> RequestId:
        return (self.env_id, f"{KEYS}:{self.request_key}")


def columns(row: BatchRow) -> Row:
    """The row as a commit takes it."""
    return (
        row.batch_id,
        row.env_id,
        row.run_count,
        row.received,
        row.failed,
        row.parent_id,
        row.idempotency_key,
        row.idempotency_shown,
        row.created_at,
        row.updated_at,
        row.sealed_at,
    )
