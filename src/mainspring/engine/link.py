"""What arrives from a worker session, one frame at a time, and how it is planned. No transport."""

from __future__ import annotations

from typing import Final

import msgspec

from mainspring.engine import finish, held, journal, metadata, streams, wait
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.live import Live
from mainspring.engine.place import park
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.engine.trigger import VERSION_RETRY_MS
from mainspring.errors import InvalidOptions, MainspringError
from mainspring.model import limits
from mainspring.model.run import INLINE_LIMIT, RunError
from mainspring.wire.worker import (
    Append,
    Dropped,
    Entry,
    Fenced,
    Finished,
    LogLine,
    Park,
    Record,
    Refused,
    Update,
    Wait,
)

_encode: Final = msgspec.json.Encoder().encode

LARGE: Final = INLINE_LIMIT // 4
KEY: Final = 2048
"""Characters of a journal key, or of the name of what is waited for."""
REFUSED: Final = "refused"
"""The outcome of a run whose result the database does not take."""


Message = Finished | Refused | Record | Wait | Park | Dropped | Update | Append


class Arrived:
    """The part of a frame that changes state. `number` is acknowledged once it is durable.

    `refs` names the stored output of the runs whose output was too large to stay inline.
    """

    __slots__ = ("messages", "number", "refs", "session", "unknown")

    def __init__(self, session: Session, number: int) -> None:
        self.session = session
        self.number = number
        self.messages: list[Message] = []
        self.refs: dict[str, str] = {}
        self.unknown: Live | None = None

    def give_up(self, error: MainspringError) -> bool:
        """The database refuses its rows: end its runs with that. False when even this failed."""
        reason = RunError(error.message, type(error).__name__, code=error.code)
        before, self.refs, ends = self.messages, {}, {}
        for message in before:
            if not isinstance(message, Dropped | Refused):
                active_ms = message.active_ms if isinstance(message, Finished | Park) else 0
                fin = Finished(message.run_id, message.epoch, REFUSED, error=reason)
                fin.active_ms = active_ms
                ends[message.run_id, message.epoch] = fin
        self.messages = [*ends.values()]
        return any(not isinstance(one, Finished) or one.outcome != REFUSED for one in before)

    def want(self, state: State, wanted: Wanted) -> None:
        """Name what has to be looked up before it is planned."""
        session = self.session
        for message in self.messages:
            match message:
                case Finished():
                    finish.want(state, wanted, message)
                case Record():
                    held.want(state, wanted, session, message.run_id, message.epoch)
                case Wait():
                    wait.want(state, wanted, session, message)
                case Park():
                    wait.want_park(state, wanted, session, message)
                case Update():
                    metadata.want(state, wanted, session, message)
                case Append():
                    streams.want(state, wanted, session, message)
                case Refused():
                    live = state.lives.get(message.run_id)
                    if live is not None:
                        finish.want_lost(state, wanted, live)
                case Dropped():
                    continue

    def plan(self, state: State, batch: Batch, facts: Facts) -> None:
        """Write the rows of everything in it, in the order in which it was said."""
        session = self.session
        for message in self.messages:
            match message:
                case Finished():
                    ref = self.refs.get(message.run_id) if self.refs else None
                    finish.plan(state, batch, facts, session, message, ref)
                    if message.outcome in (REFUSED, finish.REJECTED):
                        batch.order(session, Fenced(message.run_id, message.epoch))
                case Record():
                    journal.record(state, batch, facts, session, message)
                case Wait():
                    wait.register(state, batch, facts, session, message)
                case Park():
                    batch.parks.append((session, message))
                case Update():
                    metadata.plan(state, batch, facts, session, self.number, message)
                case Append():
                    streams.plan(state, batch, facts, session, message)
                case _:
                    self._plan_refusal(state, batch, facts, message)
        if self.unknown is not None and state.lives.get(self.unknown.run_id) is self.unknown:
            live = self.unknown
            finish.leave(state, batch, live)
            if live.version != live.lane.version:  # this claim has pinned it, to no use
                live.version = live.lane.version
                batch.changes.pin.append((live.run_id, live.version))
            park(state, batch, finish.place_of(live), "version", batch.now + VERSION_RETRY_MS)

    def _plan_refusal(
        self, state: State, batch: Batch, facts: Facts, message: Refused | Dropped
    ) -> None:
        """The session does not take a run, or does not keep it."""
        session = self.session
        if isinstance(message, Dropped):
            batch.dropped.extend((session, *one) for one in message.runs)
            return
        live = state.lives.get(message.run_id)
        if live is None or live.epoch != message.epoch or live.session is not session:
            return
        if message.refused:
            finish.lose(state, batch, facts, live, "the worker had not started it")
        else:
            live.begun = True


def unknown_task(live: Live) -> Arrived:
    """A claimed run whose task no connected session has."""
    arrived = Arrived(live.session, 0)
    arrived.unknown = live
    return arrived


def checked(message: Message) -> Message:
    """The message as it can be stored: one that cannot be ends the run with the reason."""
    if isinstance(message, Refused | Dropped):
        return message
    if isinstance(message, Finished) and message.error is not None:
        message.error = _readable(message.error)
    try:
        _check(message)
    except MainspringError as error:
        reason = RunError(error.message, type(error).__name__, code=error.code)
        active_ms = message.active_ms if isinstance(message, Finished) else 0
        outcome = "aborted" if isinstance(message, Finished) else finish.REJECTED
        return Finished(message.run_id, message.epoch, outcome, error=reason, active_ms=active_ms)
    return message


def _check(message: Finished | Record | Wait | Park | Update | Append) -> None:
    match message:
        case Finished(output=str() as output):
            limits.check_output(output)
            if message.outcome == "continued":
                limits.check_payload(output)
        case Record():
            for entry in message.entries:
                _check_entry(entry)
        case Wait():
            _check_key(message.key)
            for point in message.points:
                limits.check_text(point, "what is waited for", KEY)
            if message.data is not None:
                limits.check_json(message.data, "filter", InvalidOptions)
            if message.kind not in journal.WAITS:
                raise InvalidOptions(f"no wait is of the kind {message.kind[:40]!r}.")
        case Append():
            limits.check_stream(message.stream)
            if message.target:
                limits.check_text(message.target, "the target of a stream", limits.NAME_LENGTH)
            for chunk in message.chunks:
                limits.check_chunk(chunk)
        case _:
            return


def _check_entry(entry: Entry) -> None:
    _check_key(entry.key)
    if entry.ref is not None:  # the server alone says where a result lies
        raise InvalidOptions("an entry of a worker names no stored object.")
    if entry.data is not None:
        limits.check_output(entry.data)


def _check_key(key: str) -> None:
    limits.check_text(key, "journal key", KEY)


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


def large(arrived: Arrived) -> list[Finished | Entry]:
    """The results that have to be stored apart before the frame can be planned. Entries among them
    are copies: what a worker of this process has sent is still its own, and may be sent again.
    """
    found: list[Finished | Entry] = []
    for number, message in enumerate(arrived.messages):
        if isinstance(message, Finished):
            if message.output is not None and is_large(message.output):
                found.append(message)
        elif isinstance(message, Record):
            copies = {
                at: msgspec.structs.replace(one)
                for at, one in enumerate(message.entries)
                if one.data and is_large(one.data)
            }
            if copies:
                entries = [copies.get(at, one) for at, one in enumerate(message.entries)]
                arrived.messages[number] = msgspec.structs.replace(message, entries=entries)
                found += copies.values()
    return found


def is_large(text: str) -> bool:
    """Whether a text is too large to stay inline."""
    return len(text) > LARGE and len(text.encode()) > INLINE_LIMIT
