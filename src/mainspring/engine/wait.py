"""Plan waits of runs: register, resolve, park, resume. What a token or an event is lives elsewhere.

Everything works on the rows that were read before the turn and those that the turn has added, so
that nothing which ends in the turn that registers a wait is missed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.engine import held, journal
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.finish import STUCK, leave, place_of
from mainspring.engine.live import Live
from mainspring.engine.order import Wish
from mainspring.engine.place import Place, enqueue, forget, park, remind
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.errors import NotFound
from mainspring.store.protocol import LiveRow
from mainspring.store.waiting import EdgeRow
from mainspring.wire.worker import Entry, Park, Resolved, Wait

TIMER: Final = "wait:"
"""The kind of a wait's timer begins so; its key follows."""
FOREIGN: Final = "foreign"


class Outcome(Struct):
    """How a wait ended. `status`: completed, timed_out, failed; large data is named by `ref`."""

    status: str = "completed"
    data: str | None = None
    ref: str | None = None


def no_token(token_id: str) -> NotFound:
    """The error for a token that is unknown here; a foreign one looks the same."""
    return NotFound(
        f"No token {token_id[:80]!r} in this environment; `mainspring tokens ls` lists them."
    )


def event_point(env_id: int, name: str) -> str:
    """The waitpoint id of an event."""
    return f"event:{env_id}:{name}"


def input_point(run_id: str, stream: str, number: int) -> str:
    """The waitpoint id of a record that an input stream will have."""
    return f"input:{run_id}:{stream}:{number}"


def want(state: State, wanted: Wanted, session: Session, wait: Wait) -> None:
    """Name what has to be known to register a wait."""
    live = held.want(state, wanted, session, wait.run_id, wait.epoch)
    if live is None or may_have_waited(live):
        wanted.edges.add(wait.run_id)
        wanted.journal.add((wait.run_id, wait.key, wait.generation))
    if wait.kind == "run":
        wanted.ends.update(wait.points)
    elif wait.kind == "token":
        wanted.tokens.update(wait.points)
    elif wait.kind == "input":
        wanted.records.update((wait.run_id, stream, wait.number) for stream in wait.points)


def want_park(state: State, wanted: Wanted, session: Session, message: Park) -> None:
    """Name what has to be known to park a run."""
    live = held.want(state, wanted, session, message.run_id, message.epoch)
    if live is None or may_have_waited(live):
        wanted.edges.add(message.run_id)


def may_have_waited(live: Live) -> bool:
    """Whether rows or entries of earlier waits can be there, so that they have to be read."""
    return live.waited or live.epoch > 1


def register(state: State, batch: Batch, facts: Facts, session: Session, wait: Wait) -> None:
    """The code of a run begins to wait. What is there already is told at once."""
    live = held.attempt(state, batch, facts, session, wait.run_id, wait.epoch)
    if live is None:
        return
    live.waited = True
    known = facts.journal.get((wait.run_id, wait.key, wait.generation))
    if known is not None:
        tell(batch, live, journal.entry_of(known))
        return
    if facts.edges.is_open(wait.run_id, wait.key):
        return  # it comes again; its first registration stands
    due = wait.due_at or 0
    if wait.after_ms is not None:
        due = batch.now + wait.after_ms
    points = points_of(facts, live, wait)
    found = _there(facts, live, wait) if points else Outcome()
    if found is None and (due or wait.kind == "time") and due <= batch.now:
        found = Outcome("completed" if wait.kind == "time" else "timed_out")
    if found is not None:
        conclude(state, batch, facts, _edge(batch, facts, wait, "", 0), found)
        return
    for point in points:
        row = _edge(batch, facts, wait, point, due)
        facts.edges.add(row)
        if row.data == FOREIGN:
            state.awaited.add(row.waitpoint_id)


def points_of(facts: Facts, live: Live, wait: Wait) -> list[str]:
    """What a wait is still for; runs that have ended are left out."""
    match wait.kind:
        case "time":
            return [""]
        case "run":
            points = dict.fromkeys(wait.points)
            return [run_id for run_id in points if not _has_ended(facts, live, run_id)]
        case "event":
            return [event_point(live.env_id, name) for name in wait.points[:1]]
        case "input":
            return [input_point(live.run_id, name, wait.number) for name in wait.points[:1]]
        case _:
            return wait.points[:1]


def resolve(
    state: State,
    batch: Batch,
    facts: Facts,
    waitpoint_id: str,
    status: str = "completed",
    data: str | None = None,
    ref: str | None = None,
    *,
    match: Callable[[EdgeRow], bool] | None = None,
) -> int:
    """Something has ended or come: end the waits for it; returns how many waits that are.

    The waitpoint must have been among `Wanted.points`. `match` says which of the waits are meant.
    """
    ended = 0
    for row in facts.edges.on(waitpoint_id):
        if match is not None and not match(row):
            continue
        if not facts.edges.drop(row) and row.run_id not in batch.over:
            conclude(state, batch, facts, row, Outcome(status, data, ref))
            ended += 1
    return ended


def conclude(state: State, batch: Batch, facts: Facts, row: EdgeRow, outcome: Outcome) -> None:
    """A wait is over, the rows of it are gone: journal its outcome and let the run know."""
    entry = Entry(
        row.key,
        row.seq,
        row.kind,
        outcome.status,
        outcome.data,
        outcome.ref,
        row.fingerprint,
        row.created_at,
        batch.now,
    )
    live, parked = state.lives.get(row.run_id), facts.located.get(row.run_id)
    epoch = live.epoch if live is not None else parked.epoch if parked is not None else 0
    journal.write(batch, facts, row.run_id, epoch, row.generation, entry)
    if live is not None:
        tell(batch, live, entry)
    elif row.run_id in state.outcomes:
        state.outcomes[row.run_id].append(entry)
    elif parked is not None and is_waiting(parked) and row.run_id not in batch.resumed:
        resume(state, batch, parked, entry)


def tell(batch: Batch, live: Live, entry: Entry) -> None:
    """Have a run that executes know an outcome once it is durable."""
    batch.told.setdefault(live, []).append(entry)


def is_waiting(row: LiveRow) -> bool:
    """Whether a run is parked in waits, and goes on when one of them is over."""
    return row.place == "parked" and row.kind == "wait" and row.due_at != STUCK


def resume(state: State, batch: Batch, row: LiveRow, *outcomes: Entry) -> None:
    """Let a parked run go on, ahead of the new runs of its lane."""
    batch.touched.add(row.run_id)
    batch.resumed.add(row.run_id)
    batch.changes.drop_parked.append((row.run_id,))
    state.outcomes[row.run_id] = list(outcomes)
    lane = (row.env_id, row.queue, row.ckey, row.version)
    place = Place(row.run_id, lane, row.ord, row.epoch, row.attempt, row.started_at, row.active_ms)
    enqueue(state, batch, place, resume=True)


def unstick(state: State, batch: Batch, facts: Facts, row: LiveRow) -> None:
    """Let a run that diverged go on; it must have been among `Wanted.edges`."""
    for edge in facts.edges.of(row.run_id):
        if edge.kind == "diverged":
            facts.edges.drop(edge)
    resume(state, batch, row)


def time_is_up(state: State, batch: Batch, facts: Facts, at: int, key: str, run_id: str) -> None:
    """The timer of a wait fires: a wait for time is over, another has timed out."""
    rows = [row for row in facts.edges.of(run_id) if row.key == key and row.due_at == at]
    for row in rows:
        if not facts.edges.drop(row) and run_id not in batch.over:
            status = "completed" if row.kind == "time" else "timed_out"
            conclude(state, batch, facts, row, Outcome(status))


def settle(state: State, batch: Batch, facts: Facts) -> None:
    """The end of planning: who waits for what has ended is told, then runs are parked."""
    edges = facts.edges
    if edges:
        for run_id in batch.over:
            resolve(state, batch, facts, run_id)
        for run_id in (*batch.over, *batch.anew):
            clear(facts, run_id)
    if batch.over:
        state.awaited.difference_update(batch.over)
        for run_id in batch.over:
            state.outcomes.pop(run_id, None)
    for session, message in batch.parks:
        park_run(state, batch, facts, session, message)
    edges.write(batch.changes)
    for at, key, run_id in sorted(edges.over()):
        forget(state, batch, at, TIMER + key, run_id)
    for at, key, run_id in sorted(edges.begun()):
        remind(state, batch, at, TIMER + key, run_id)


def clear(facts: Facts, run_id: str) -> None:
    """Drop what a run still waits for; its waits must have been among `Wanted.edges`."""
    for row in facts.edges.of(run_id):
        facts.edges.drop(row)


def park_run(state: State, batch: Batch, facts: Facts, session: Session, message: Park) -> None:
    """All code of a run waits: take its slot back, unless one of the waits is over already."""
    run_id, epoch = message.run_id, message.epoch
    live = held.attempt(state, batch, facts, session, run_id, epoch)
    if live is None:
        if held.is_parked(facts.located.get(run_id), session, epoch):
            batch.held.append((session, run_id, epoch))
        return
    waiting = all(facts.edges.is_open(run_id, key) for key in message.keys)
    if live.cancel_at is not None or not message.keys or not waiting:
        return
    live.active_ms += message.active_ms
    leave(state, batch, live)
    park(state, batch, place_of(live), "wait", 0)
    batch.held.append((session, run_id, epoch))


def hold(state: State, batch: Batch) -> None:
    """The turn is durable: know whose coroutines are parked where, and which of them are not."""
    for session, run_id, epoch in batch.held:
        state.hold(session, run_id, epoch)
    for session, run_id, epoch in batch.dropped:
        if session.parked.get(run_id) == epoch:
            state.let_go(run_id)
    for run_id in batch.freed:
        state.let_go(run_id)


def tell_all(batch: Batch) -> list[Wish]:
    """The turn is durable: tell outcomes to the runs that execute.

    Returns the runs that have to be told beside the turn, because of stored texts.
    """
    wishes = []
    for live, entries in batch.told.items():
        if live.untold is not None:
            live.untold.extend(entries)
        elif any(entry.ref is not None and entry.data is None for entry in entries):
            wishes.append(Wish(live))
        else:
            batch.order(live.session, Resolved(live.run_id, live.epoch, entries))
    return wishes


def again(live: Live) -> Wish:
    """The order for a run whose session has a new link: to go on if it never heard that, else what
    its waits have brought.
    """
    epoch = live.session.parked.get(live.run_id)
    if epoch is not None and epoch == live.epoch - 1:
        live.before, live.untold = epoch, []
    return Wish(live)


def _there(facts: Facts, live: Live, wait: Wait) -> Outcome | None:
    """The outcome of a wait for what has come already."""
    if not wait.points:
        return None
    point = wait.points[0]
    if wait.kind == "token":
        token = facts.tokens.get(point)
        if token is None or token.env_id != live.env_id:
            error = no_token(point)
            said = msgspec.json.encode({"message": error.message, "code": error.code})
            return Outcome("failed", said.decode())
        if token.status != "waiting":
            return Outcome(token.status, token.output, token.output_ref)
    elif wait.kind == "input":
        row = facts.records.get((wait.run_id, point, wait.number))
        if row is not None:
            return Outcome("completed", row.data, row.data_ref)
    return None


def _has_ended(facts: Facts, live: Live, run_id: str) -> bool:
    """Whether a run is over; one that is unknown here is as good as that."""
    row = facts.ends.get(run_id)
    return row is None or row.env_id != live.env_id or bool(row.status)


def _edge(batch: Batch, facts: Facts, wait: Wait, point: str, due: int) -> EdgeRow:
    data = wait.data
    if wait.kind == "run":
        end = facts.ends.get(point)
        data = FOREIGN if end is not None and end.parent_id != wait.run_id else None
    return EdgeRow(
        wait.run_id,
        wait.key,
        point,
        wait.kind,
        wait.generation,
        wait.seq,
        due,
        data,
        wait.fingerprint,
        batch.now,
    )
