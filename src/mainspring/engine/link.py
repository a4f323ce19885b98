"""What arrives from a worker session, one frame at a time, and how it is planned. No transport."""

from __future__ import annotations

from typing import Final

from mainspring.engine import finish
from mainspring.engine.batch import Batch
from mainspring.engine.live import Live
from mainspring.engine.place import park
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.engine.trigger import VERSION_RETRY_MS
from mainspring.model.run import INLINE_LIMIT
from mainspring.wire.worker import Finished, Refused

LARGE: Final = INLINE_LIMIT // 4


class Arrived:
    """The part of a frame that changes state. `number` is acknowledged once it is durable.

    `refs` names the stored output of the runs whose output was too large to stay inline.
    """

    __slots__ = ("finished", "number", "refs", "refused", "session", "unknown")

    def __init__(self, session: Session, number: int) -> None:
        self.session = session
        self.number = number
        self.finished: list[Finished] = []
        self.refused: list[Refused] = []
        self.refs: dict[str, str] = {}
        self.unknown: Live | None = None

    def plan(self, state: State, batch: Batch) -> None:
        """Write the rows of everything in it."""
        session = self.session
        if self.refs:
            for fin in self.finished:
                finish.plan(state, batch, session, fin, self.refs.get(fin.run_id))
        else:
            for fin in self.finished:
                finish.plan(state, batch, session, fin)
        for answer in self.refused:
            live = state.lives.get(answer.run_id)
            if live is None or live.epoch != answer.epoch or live.session is not session:
                continue
            if answer.refused:
                finish.lose(state, batch, live, "the worker had not started it")
            else:
                live.begun = True
        if self.unknown is not None and state.lives.get(self.unknown.run_id) is self.unknown:
            live = self.unknown
            finish.leave(state, batch, live)
            park(state, batch, finish.place_of(live), "version", batch.now + VERSION_RETRY_MS)


def unknown_task(live: Live) -> Arrived:
    """A claimed run whose task no connected session has."""
    arrived = Arrived(live.session, 0)
    arrived.unknown = live
    return arrived


def large_outputs(arrived: Arrived) -> list[Finished]:
    """The results that have to be stored apart before the frame can be planned."""
    return [
        fin
        for fin in arrived.finished
        if fin.output is not None
        and len(fin.output) > LARGE
        and len(fin.output.encode()) > INLINE_LIMIT
    ]
