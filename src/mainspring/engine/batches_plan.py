"""Plan batches that are filled step by step: made once, each item one run, full in the end."""

from __future__ import annotations

from asyncio import Future
from typing import Final

import msgspec
from msgspec import Struct, field

from mainspring.engine import requests
from mainspring.engine.batch import Batch, Facts, RequestId, Wanted
from mainspring.engine.intake import KEY_TTL_MS
from mainspring.engine.state import State
from mainspring.engine.trigger import TriggerCall, claim_key, plan_one
from mainspring.engine.whole import columns
from mainspring.errors import InvalidOptions, NotFound
from mainspring.model.limits import DAY_MS
from mainspring.model.run import TriggerAnswer
from mainspring.store.batching import BatchRow, ItemRow
from mainspring.wire.batches import BatchItem, CreateBatch

GIVEN_UP_MS: Final = DAY_MS
"""A batch to which no item has come for so long takes none any more."""
KEYS: Final = "!batch"
"""Before the key of a request, and for the task of an idempotency key; no task is named so."""


def is_given_up(row: BatchRow, now: int) -> bool:
    """Whether nobody has filled the batch for so long that nobody will; the code of a run may take
    its time. Nothing is written: whoever asks is told by the clock.
    """
    left_alone = now - row.updated_at >= GIVEN_UP_MS
    return left_alone and row.sealed_at is None and row.parent_id is None


class CreateCall(Struct):
    """Somebody makes a batch; answered with its id, and whether an idempotency key gave it."""

    env_id: int
    asked: CreateBatch
    future: Future[tuple[str, bool]]
    batch_id: str = ""

    def want(self, wanted: Wanted) -> None:
        if self.asked.idempotency_key is not None:
            wanted.keys.add((self.env_id, KEYS, self.asked.idempotency_key))
        if self.asked.request_key is not None:
            wanted.requests.add(self._request)
        if self.batch_id:
            wanted.batches.add(self.batch_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; planned again after a doubtful commit they are the same ones."""
        asked, now = self.asked, batch.now
        made = facts.requests.get(self._request) if asked.request_key is not None else None
        if made is not None or self.batch_id in facts.batches:
            batch.answer(self.future, (made or self.batch_id, False))
            return True
        if asked.idempotency_key is not None:
            key = (self.env_id, KEYS, asked.idempotency_key)
            held = facts.keys.get(key)
            if held is not None and held.expires_at > now:
                batch.answer(self.future, (held.run_id, True))
                return True
        self.batch_id = self.batch_id or state.ids.new("batch", now, state.shard_id)
        row = BatchRow(
            self.batch_id,
            self.env_id,
            asked.run_count,
            0,
            0,
            asked.parent_id,
            asked.idempotency_key,
            asked.idempotency_shown,
            now,
            now,
            None,
        )
        batch.changes.batch.append(columns(row))
        facts.batches[row.batch_id] = row
        if asked.idempotency_key is not None:
            until = now + (asked.idempotency_ttl_ms or KEY_TTL_MS)
            claim_key(batch, facts, key, self.batch_id, until)
        if asked.request_key is not None:
            requests.keep(batch, facts, self._request, self.batch_id)
        batch.answer(self.future, (self.batch_id, False))
        return True

    @property
    def _request(self) -> RequestId:
        return (self.env_id, f"{KEYS}:{self.asked.request_key}")


class Added(Struct):
    """What became of items: `found` are their runs, None for no run, and whether each is older."""

    accepted: int
    row: BatchRow
    found: dict[int, tuple[str | None, bool]]


class ItemsCall(TriggerCall):
    """Items for a batch, answered with `Added`. `numbers` are those of `items`; `bad` are the ones
    that cannot be triggered; `total` as in `AddItems`.

    Which items are in is told by their rows, so it may be planned any number of times.
    """

    batch_id: str = ""
    numbers: list[int] = field(default_factory=list)
    bad: list[BatchItem] = field(default_factory=list)
    total: int | None = None

    def want(self, wanted: Wanted) -> None:
        TriggerCall.want(self, wanted)
        wanted.batches.add(self.batch_id)
        wanted.items.update((self.batch_id, number) for number in self.numbers)
        wanted.items.update((self.batch_id, item.number) for item in self.bad)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Make the runs that are not there yet; the last item closes the batch."""
        if self.must_wait(batch, facts):
            return False
        row = facts.batches.get(self.batch_id)
        if row is None or row.env_id != self.env_id:
            batch.answer(self.future, unknown(self.batch_id))
            return True
        error = self.refusal(state) or self._misfit(row, batch.now, facts)
        if error is not None:
            batch.answer(self.future, error)
            return True
        found: dict[int, tuple[str | None, bool]] = {}
        accepted, made = self._plan_runs(state, batch, facts, found)
        failed = self._note_bad(batch, facts, found)
        row.received += made + failed
        row.failed += failed
        self._close(batch, row)
        if made or failed or self.total is not None:
            put(batch, row)
        told = Added(accepted + failed, msgspec.structs.replace(row), found)
        batch.answer(self.future, told)
        return True

    def _plan_runs(
        self,
        state: State,
        batch: Batch,
        facts: Facts,
        found: dict[int, tuple[str | None, bool]],
    ) -> tuple[int, int]:
        """How many of the items this call has brought, and how many of them in this turn."""
        accepted = made = 0
        answers: list[TriggerAnswer] = []
        for number, item in zip(self.numbers, self.items, strict=True):
            known = facts.items.get((self.batch_id, number))
            if known is not None:
                # of a commit of this very call that was doubtful, or of another call
                accepted += item.run_id is not None and item.run_id == known.run_id
                answers.append(TriggerAnswer(known.run_id or ""))
                found[number] = (known.run_id, False)
                continue
            joined = answers[item.joins] if item.joins is not None else None
            answer = plan_one(state, batch, facts, self.env_id, item, joined)
            answers.append(answer)
            found[number] = (answer.run_id, answer.cached)
            self._note(batch, facts, (number, answer.run_id, item.spec.id, None, None))
            made += 1
        return accepted + made, made

    def _note_bad(
        self, batch: Batch, facts: Facts, found: dict[int, tuple[str | None, bool]]
    ) -> int:
        fresh = 0
        for item in self.bad:
            known = facts.items.get((self.batch_id, item.number))
            found[item.number] = (known.run_id if known is not None else None, False)
            if known is None:
                task = item.request.task
                self._note(batch, facts, (item.number, None, task, item.error, item.code))
                fresh += 1
        return fresh

    def _note(
        self, batch: Batch, facts: Facts, item: tuple[int, str | None, str, str | None, str | None]
    ) -> None:
        batch.changes.batch_item.append((self.batch_id, *item))
        facts.items[self.batch_id, item[0]] = ItemRow(self.batch_id, *item)

    def _misfit(self, row: BatchRow, now: int, facts: Facts) -> InvalidOptions | None:
        """Why the items cannot belong to the batch, if so."""
        if is_given_up(row, now):
            return InvalidOptions(
                f"Batch {row.batch_id} was given up: no item came for 24 hours. Make a new one."
            )
        count = row.run_count or self.total or 0
        numbers = {*self.numbers, *(item.number for item in self.bad)}
        highest = max(numbers, default=-1)
        if count and highest >= count:
            return InvalidOptions(
                f"Item index {highest} is not of batch {row.batch_id}, which has {count} items; "
                f"0 to {count - 1} are allowed."
            )
        if self.total is not None and self.total != (row.run_count or self.total):
            return InvalidOptions(
                f"Batch {row.batch_id} has {row.run_count} items, not {self.total}."
            )
        fresh = sum((self.batch_id, number) not in facts.items for number in numbers)
        if count and row.received + fresh > count:
            return InvalidOptions(
                f"Batch {row.batch_id} has {row.received} items already, which with {fresh} more "
                f"would not be {count}. Number its items from 0 to {count - 1}."
            )
        return None

    def _close(self, batch: Batch, row: BatchRow) -> None:
        """Seal the batch once all are in. One without any run gives its idempotency key back."""
        row.updated_at = batch.now
        row.run_count = row.run_count or self.total or 0
        if row.sealed_at is not None or not row.run_count or row.received < row.run_count:
            return
        row.sealed_at = batch.now
        if row.idempotency_key is not None and row.failed == row.run_count:
            key = (row.env_id, KEYS, row.idempotency_key, row.batch_id)
            batch.changes.drop_key.append(key)


def put(batch: Batch, row: BatchRow) -> None:
    """Write a batch as it stands now; a commit holds one row of it."""
    rows = batch.changes.batch
    for at, written in enumerate(rows):
        if written[0] == row.batch_id:
            rows[at] = columns(row)
            return
    rows.append(columns(row))


def unknown(batch_id: str) -> NotFound:
    """The error for a batch that is not here; a foreign one looks the same."""
    return NotFound(
        f"No batch {batch_id[:80]!r} in this environment; its id is in the answer that made it."
    )
