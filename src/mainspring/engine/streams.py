"""Plan chunks of streams: what the code of runs writes, and what others write for them.

The owner gives the numbers, dense from 0. Each batch names its writer and its place among all that
the writer has sent; by the last place that is stored a repeat is known, whoever repeats it.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from mainspring.engine import held
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.feed import Topic
from mainspring.engine.session import Session
from mainspring.engine.state import Head, State
from mainspring.errors import Conflict, FencedOut, NotFound
from mainspring.store.changes import Changes
from mainspring.wire.calls import StreamHead
from mainspring.wire.worker import Append, LogLine

HEADS: Final = 4_096
"""Streams whose ends are kept in memory; others are looked up."""
Place = tuple[str, str]
"""(run id, stream)."""
_OWN: Final = "@"


def want(state: State, wanted: Wanted, session: Session, append: Append) -> None:
    """Name what has to be looked up for chunks that the code of a run has written."""
    held.want(state, wanted, session, append.run_id, append.epoch)
    run_id, writer = _aim(append)
    if append.target:
        wanted.ends.add(run_id)
    head = state.heads.get((run_id, append.stream))
    if head is None or writer not in head.places:
        wanted.heads.add((run_id, append.stream, writer))


def plan(state: State, batch: Batch, facts: Facts, session: Session, append: Append) -> None:
    """Take in what the code of a run has written.

    Another epoch is fenced. What another run does not take is left out and told in the run's log.
    """
    live = held.attempt(state, batch, facts, session, append.run_id, append.epoch)
    if live is None:
        return
    run_id, writer = _aim(append)
    if append.target:
        end = facts.ends.get(run_id)
        if end is None or end.env_id != live.env_id or end.status or run_id in batch.over:
            why = "is not there" if end is None or end.env_id != live.env_id else "has ended"
            text = f"Stream {append.stream!r} of run {run_id} was not written: that run {why}."
            batch.lines.append(LogLine(live.run_id, batch.now, "warning", text))
            return
    place, since = (run_id, append.stream), 0 if append.target else append.since
    write(state, batch, facts, place, writer, append.first, append.chunks, since)


def _aim(append: Append) -> tuple[str, str]:
    """The run whose stream it is, and the writer: the code that began in that epoch."""
    if append.target:
        return append.target, f"{append.run_id}{_OWN}{append.since}"
    return append.run_id, f"{_OWN}{append.since}"


def write(
    state: State,
    batch: Batch,
    facts: Facts,
    place: Place,
    writer: str,
    first: int,
    chunks: list[str],
    since: int,
) -> StreamHead:
    """Number the chunks that are not there yet; returns how far it is then."""
    run_id, stream = place
    head, last = _head(state, facts, place, writer)
    new = chunks[max(last + 1 - first, 0) :]
    if head.next == 0:
        batch.changes.stream.append((run_id, stream, batch.now))
    if new:
        last = first + len(chunks) - 1
        end = head.next + len(new) - 1
        batch.changes.chunk.extend(
            (run_id, stream, number, data, since, None, None, batch.now)
            for number, data in enumerate(new[:-1], head.next)
        )
        batch.changes.chunk.append((run_id, stream, end, new[-1], since, writer, last, batch.now))
        head.next = end + 1
    if writer.startswith(_OWN):
        head.places[writer] = last
    else:  # there may be any number of others
        facts.heads[(*place, writer)] = (head.next, last)
    return StreamHead(head.next, last)


def _head(state: State, facts: Facts, place: Place, writer: str) -> tuple[Head, int]:
    """The stream's end in memory, and what the writer has sent last."""
    head = state.heads.get(place)
    if head is None:
        head = state.heads[place] = Head(facts.heads[(*place, writer)][0])
    last = head.places.get(writer)
    return head, facts.heads[(*place, writer)][1] if last is None else last


def trim(state: State, changes: Changes) -> None:
    """Forget ends that are too many, before a turn looks things up; but none that its first part,
    which is not written yet, has moved.
    """
    if len(state.heads) > HEADS:
        moved = {(row[0], row[1]) for row in changes.chunk}
        for place in list(state.heads)[: -HEADS // 2]:
            if place not in moved:
                del state.heads[place]


def topics(changes: Changes) -> Iterator[Topic]:
    """Who is to be woken by a commit."""
    for run_id, stream in dict.fromkeys((row[0], row[1]) for row in changes.chunk):
        yield ("stream", run_id, stream)
    for row in changes.input:
        yield ("input", row[0], row[1])


class AppendCall(Struct):
    """Somebody adds chunks to a stream of a run that has not ended.

    `asker` is the run whose code asks, with its epoch, or None.
    """

    run_id: str
    stream: str
    chunks: list[str]
    writer: str
    first: int
    since: int
    asker: tuple[str, int] | None
    future: Future[StreamHead]

    def want(self, wanted: Wanted) -> None:
        wanted.known.add(self.run_id)
        wanted.heads.add((self.run_id, self.stream, self.writer))

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed the run."""
        if self.asker is not None:
            live = state.lives.get(self.asker[0])
            if live is None or live.epoch != self.asker[1]:
                text = f"Run {self.asker[0]} executes elsewhere now; this attempt is over."
                batch.answer(self.future, FencedOut(text))
                return True
        status = facts.known.get(self.run_id)
        if self.run_id in batch.over:
            return False
        if status is None:
            batch.answer(self.future, NotFound(f"Run {self.run_id} is not stored any more."))
        elif status:
            text = f"Run {self.run_id} has ended as {status}; its streams take no more chunks."
            batch.answer(self.future, Conflict(text))
        else:
            place = (self.run_id, self.stream)
            answer = write(
                state, batch, facts, place, self.writer, self.first, self.chunks, self.since
            )
            batch.answer(self.future, answer)
        return True
