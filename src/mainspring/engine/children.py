"""Runs that the code of a run triggers, kept in its journal: asked again, it gets the same ones."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Sequence

from msgspec import Struct

from mainspring.engine import journal
from mainspring.engine.batch import Batch, EntryId, Facts
from mainspring.engine.state import State
from mainspring.errors import Diverged, FencedOut
from mainspring.model.run import TriggerAnswer
from mainspring.wire import calls
from mainspring.wire.kept import runs_of, text_of
from mainspring.wire.worker import Entry


class Kept(Struct):
    """Where a trigger stands in the journal of the run whose code asks."""

    run_id: str
    epoch: int
    key: str
    seq: int
    generation: int
    fingerprint: str
    batch_id: str | None = None

    @classmethod
    def of(cls, run_id: str | None, epoch: int, request: calls.Trigger) -> Kept | None:
        """None when the request is not of a run, or has no key."""
        if run_id is None or request.key is None:
            return None
        return cls(run_id, epoch, request.key, request.seq, request.generation, request.fingerprint)

    @property
    def id(self) -> EntryId:
        """The entry."""
        return (self.run_id, self.key, self.generation)

    def stands(
        self, state: State, batch: Batch, facts: Facts, future: Future[list[TriggerAnswer]]
    ) -> bool:
        """Answer with what the journal tells; False when the runs have to be made."""
        live, row = state.lives.get(self.run_id), facts.journal.get(self.id)
        if live is None or live.epoch != self.epoch:
            batch.answer(future, FencedOut(f"This attempt of run {self.run_id} is over."))
        elif row is not None and row.kind != "trigger":
            error = Diverged(f"The journal of run {self.run_id} has a {row.kind} at {self.key!r}.")
            batch.answer(future, error)
        elif row is not None:
            answers, self.batch_id = runs_of(row.data)
            batch.answer(future, answers)
        else:
            live.begun = True
            return False
        return True

    def write(
        self,
        batch: Batch,
        facts: Facts,
        answers: Sequence[TriggerAnswer],
        batch_id: str | None = None,
    ) -> None:
        """Keep the runs, and the batch that they are, in the commit that makes them."""
        data = text_of(answers, batch_id)
        now, print_ = batch.now, self.fingerprint
        entry = Entry(self.key, self.seq, "trigger", "completed", data, None, print_, now, now)
        journal.write(batch, facts, self.run_id, self.epoch, self.generation, entry)
