"""Plan inputs: records that others append to a stream of a run, numbered without gaps from 1."""

from __future__ import annotations

from asyncio import Future
from typing import Final

from msgspec import Struct

from mainspring.engine import requests, wait
from mainspring.engine.batch import Batch, Facts, RequestId, Wanted
from mainspring.engine.state import State
from mainspring.errors import Conflict, NotFound

KEYS: Final = "!input"
"""Before the key of a request; no task is named so."""


class SendCall(Struct):
    """Somebody sends a record; answered with its number."""

    env_id: int
    run_id: str
    stream: str
    data: str | None
    data_ref: str | None
    repeat_key: str | None
    future: Future[int]
    number: int | None = None

    def want(self, wanted: Wanted) -> None:
        wanted.known.add(self.run_id)
        wanted.inputs.add((self.run_id, self.stream))
        if self.repeat_key is not None:
            wanted.requests.add(self._key)
        if self.number is not None:
            wanted.records.add((self.run_id, self.stream, self.number))
        # which number it becomes is not known yet; only the run itself waits for one
        wanted.edges.add(self.run_id)
        wanted.located.add(self.run_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed the run."""
        if self.number is not None:  # planned before, in a commit that was doubtful
            if (self.run_id, self.stream, self.number) in facts.records:
                batch.answer(self.future, self.number)
                return True
            self.number = None
        if self.run_id in batch.touched:
            return False
        held = facts.requests.get(self._key) if self.repeat_key is not None else None
        if held is not None:
            batch.answer(self.future, int(held))
            return True
        status = facts.known.get(self.run_id)
        if status is None:
            batch.answer(self.future, NotFound(f"Run {self.run_id} is not stored any more."))
        elif status:
            error = Conflict(f"Run {self.run_id} has ended as {status}; it takes no more inputs.")
            batch.answer(self.future, error)
        else:
            self._append(state, batch, facts)
        return True

    def _append(self, state: State, batch: Batch, facts: Facts) -> None:
        place = (self.run_id, self.stream)
        number = self.number = facts.inputs.get(place, 0) + 1
        facts.inputs[place] = number
        inline = None if self.data_ref is not None else self.data
        batch.changes.input.append(
            (self.run_id, self.stream, number, inline, self.data_ref, batch.now)
        )
        if self.repeat_key is not None:
            requests.keep(batch, facts, self._key, str(number))
        point = wait.input_point(self.run_id, self.stream, number)
        wait.resolve(state, batch, facts, point, "completed", inline, self.data_ref)
        batch.answer(self.future, number)

    @property
    def _key(self) -> RequestId:
        return (self.env_id, f"{KEYS}:{self.repeat_key}")
