"""Plan small changes by people: a new time, more tags, a freed idempotency key. No cancel."""

from __future__ import annotations

from asyncio import Future
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.state import State
from mainspring.engine.trigger import postpone
from mainspring.errors import Conflict, NotFound
from mainspring.model.run import TriggerAnswer
from mainspring.store.changes import RunOptions

_decode_options: Final = msgspec.json.Decoder(RunOptions).decode
_encode: Final = msgspec.json.Encoder().encode


class RescheduleCall(Struct):
    """A delayed run gets another time."""

    run_id: str
    delay_ms: int | None
    delay_until: int | None
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        wanted.located.add(self.run_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed the run."""
        if self.run_id in batch.touched:
            return False
        row = facts.located.get(self.run_id)
        if row is None or row.place != "parked" or row.kind != "delay":
            batch.answer(
                self.future,
                Conflict(f"Run {self.run_id} is not delayed any more; only a delayed run moves."),
            )
            return True
        due = batch.now + self.delay_ms if self.delay_ms is not None else self.delay_until
        postpone(state, batch, row, max(due or 0, batch.now))
        batch.answer(self.future, None)
        return True


class TagCall(Struct):
    """A run gets more tags; how many it may have is checked by the caller."""

    env_id: int
    run_id: str
    tags: tuple[str, ...]
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        wanted.located.add(self.run_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows."""
        for tag in self.tags:
            batch.changes.tag.append((self.env_id, tag, self.run_id))
        mark(batch, facts, self.run_id)
        batch.answer(self.future, None)
        return True


class ResetKeyCall(Struct):
    """An idempotency key is to be forgotten, so that the next trigger makes a new run."""

    env_id: int
    task: str
    key: str
    future: Future[TriggerAnswer]

    def want(self, wanted: Wanted) -> None:
        wanted.keys.add((self.env_id, self.task, self.key))

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows."""
        row = facts.keys.pop((self.env_id, self.task, self.key), None)
        if row is None or row.expires_at <= batch.now:
            batch.answer(
                self.future,
                NotFound(f"Task {self.task!r} holds no idempotency key {self.key[:80]!r}."),
            )
            return True
        batch.changes.drop_key.append((self.env_id, self.task, self.key, row.run_id))
        batch.answer(self.future, TriggerAnswer(row.run_id))
        return True


def mark(batch: Batch, facts: Facts, run_id: str) -> None:
    """Tags or metadata were put beside a run, which must be located: note with one that nobody has
    claimed yet that its first order has to bring them along. Later orders always do.
    """
    row = facts.located.get(run_id)
    if row is None or row.place == "active" or row.epoch:
        return
    options = _decode_options(row.options) if row.options else RunOptions()
    if not options.has_metadata:
        options.has_metadata = True
        row.options = _encode(options).decode()
        batch.changes.options.append((run_id, row.options))
