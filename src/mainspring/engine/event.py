"""Plan events: whoever waits for one by its name, and for fields that it has, goes on."""

from __future__ import annotations

from asyncio import Future
from typing import Any, Final

import msgspec
from msgspec import Struct

from mainspring.engine import wait
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.state import State
from mainspring.model.match import fits

_decode: Final = msgspec.json.Decoder().decode


class EmitCall(Struct):
    """Somebody emits an event; answered with how many waits it has ended."""

    env_id: int
    name: str
    payload: str
    payload_ref: str | None
    future: Future[int]

    def want(self, wanted: Wanted) -> None:
        wanted.points.add(wait.event_point(self.env_id, self.name))

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Let go on everybody whom the event fits."""
        payload = _decode(self.payload)
        ended = wait.resolve(
            state,
            batch,
            facts,
            wait.event_point(self.env_id, self.name),
            "completed",
            None if self.payload_ref is not None else self.payload,
            self.payload_ref,
            match=lambda edge: edge.data is None or _fits(edge.data, payload),
        )
        batch.answer(self.future, ended)
        return True


def _fits(text: str, payload: Any) -> bool:
    wanted = _decode(text)
    return isinstance(wanted, dict) and fits(wanted, payload)
