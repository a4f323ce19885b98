"""Which attempts and which parked coroutines a session holds. What they do is decided elsewhere."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterable

from msgspec import Struct

from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.live import Live
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.store.protocol import LiveRow
from mainspring.wire.worker import Fenced


def attempt(
    state: State, batch: Batch, facts: Facts, session: Session, run_id: str, epoch: int
) -> Live | None:
    """The attempt that a message is of, if it is still the session's.

    Otherwise the session is told, unless the run is parked in it: then the message is one of an
    attempt that has parked since, come again, and everything it says has been taken in before.
    """
    live = state.lives.get(run_id)
    if live is not None and live.epoch == epoch and live.session is session:
        live.begun = True
        if live.before or session.parked:
            _has_gone_on(state, live)
        return live
    if not is_parked(facts.located.get(run_id), session, epoch):
        batch.order(session, Fenced(run_id, epoch))
    return None


def brought(
    state: State, session: Session, attempts: Iterable[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Which of these attempts (run id, epoch) of a session that is back are still its own; they
    have gone on, whether a word of that arrived or not.
    """
    own = set()
    for run_id, epoch in attempts:
        live = state.lives.get(run_id)
        if live is not None and live.epoch == epoch and live.session is session:
            _has_gone_on(state, live)
            own.add((run_id, epoch))
    return own


def _has_gone_on(state: State, live: Live) -> None:
    """The code of a resumed run speaks in its new epoch: what it is told from now on are outcomes,
    also over another link, because it would take the order to go on for a repeat.
    """
    live.before = 0
    if live.session.parked.get(live.run_id, live.epoch) < live.epoch:
        state.let_go(live.run_id)


def want(state: State, wanted: Wanted, session: Session, run_id: str, epoch: int) -> Live | None:
    """Name what `attempt` has to know; returns the attempt when it is active."""
    live = state.lives.get(run_id)
    if live is None or live.epoch != epoch or live.session is not session:
        wanted.located.add(run_id)
        return None
    return live


def is_parked(row: LiveRow | None, session: Session, epoch: int) -> bool:
    """Whether the run waits, or is to go on, from where that session parked it.

    A ready row does not name the session, but nobody else ever held that epoch.
    """
    if row is None or row.epoch != epoch or row.env_id != session.env_id:
        return False
    if row.place == "parked":
        return row.kind == "wait" and row.session_id == session.id
    return row.place == "ready" and row.kind == "resume"


class HeldCall(Struct):
    """What a session says is parked in it, to be compared with the rows. It changes none.

    A run that is not parked there any more is fenced; its coroutine is of no use.
    """

    session: Session
    parked: list[tuple[str, int]]
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        wanted.located.update(run_id for run_id, _ in self.parked)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Know what it holds; False = another turn, because this one has changed a run."""
        if any(run_id in batch.touched for run_id, _ in self.parked):
            return False
        session = self.session
        for run_id, epoch in self.parked:
            live = state.lives.get(run_id)
            if live is not None and live.session is session and 0 <= live.epoch - epoch <= 1:
                continue  # it asks to be parked just now, or is about to be told to go on
            if is_parked(facts.located.get(run_id), session, epoch):
                batch.held.append((session, run_id, epoch))
                continue
            batch.order(session, Fenced(run_id, epoch))
            if session.parked.get(run_id) == epoch:
                batch.freed.append(run_id)
        batch.answer(self.future, None)
        return True
