"""What arrives from a worker session, one frame at a time, and how it is planned. No transport."""

from __future__ import annotations

from typing import Final

import msgspec

from mainspring.engine import finish
from mainspring.engine.batch import Batch
from mainspring.engine.live import Live
from mainspring.engine.place import park
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.engine.trigger import VERSION_RETRY_MS
from mainspring.errors import InvalidOutput, MainspringError
from mainspring.model import limits
from mainspring.model.run import INLINE_LIMIT, RunError
from mainspring.wire.worker import Finished, LogLine, Refused

_encode: Final = msgspec.json.Encoder().encode

LARGE: Final = INLINE_LIMIT // 4
REFUSED: Final = "refused"
"""The outcome of a run whose result the database does not take."""


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

    def give_up(self, error: MainspringError) -> bool:
        """The database refuses its rows: end its runs with that. False when even this failed."""
        reason = RunError(error.message, type(error).__name__, code=error.code)
        before, self.refs = self.finished, {}
        self.finished = [
            Finished(fin.run_id, fin.epoch, REFUSED, error=reason, active_ms=fin.active_ms)
            for fin in before
        ]
        return any(fin.outcome != REFUSED for fin in before)

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


def checked(fin: Finished) -> Finished:
    """The result as it can be stored: an output that cannot be ends the run with the reason."""
    if fin.error is not None:
        fin.error = _readable(fin.error)
    if fin.output is None:
        return fin
    try:
        limits.check_output(fin.output)
    except InvalidOutput as error:
        reason = RunError(error.message, type(error).__name__, code=error.code)
        return Finished(fin.run_id, fin.epoch, "aborted", error=reason, active_ms=fin.active_ms)
    return fin


def storable(line: LogLine) -> LogLine:
    """The line without what no database can hold."""
    message, data = _clean(line.message), line.data
    if data is not None:
        data = _clean(data)
    if message is not line.message or data is not line.data:
        return LogLine(line.run_id, line.at, line.level, message, data)
    return line


def _readable(error: RunError) -> RunError:
    try:
        _encode(error)
    except UnicodeEncodeError:
        return RunError(
            _clean(error.message), _clean(error.name), _clean(error.stack), _clean(error.code)
        )
    return error


def _clean(text: str) -> str:
    """The text with a mark where a NUL or half of a surrogate pair was."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def large_outputs(arrived: Arrived) -> list[Finished]:
    """The results that have to be stored apart before the frame can be planned."""
    return [
        fin
        for fin in arrived.finished
        if fin.output is not None
        and len(fin.output) > LARGE
        and len(fin.output.encode()) > INLINE_LIMIT
    ]
