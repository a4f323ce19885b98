"""Where a run goes next: a slot at once, the ready queue, or a wait. Writes the rows of that."""

from __future__ import annotations

from msgspec import Struct

from mainspring.dispatch.lanes import LaneKey
from mainspring.engine.batch import Batch
from mainspring.engine.state import State


class Place(Struct):
    """What stays with a run while it moves between the live tables."""

    run_id: str
    lane: LaneKey
    ord: int
    epoch: int = 0
    attempt: int = 1
    started_at: int = 0
    active_ms: int = 0
    session_id: str = ""


def enqueue(state: State, batch: Batch, place: Place, *, resume: bool = False) -> None:
    """Put a run into its lane; it is claimed in this turn or a later one."""
    env_id, queue, ckey, version = place.lane
    batch.changes.ready.append(
        (
            place.run_id,
            env_id,
            queue,
            ckey,
            version,
            place.ord,
            int(resume),
            place.epoch,
            place.attempt,
            place.started_at,
            place.active_ms,
        )
    )
    state.core.push(place.lane, place.ord, place.run_id, resume)


def park(state: State, batch: Batch, place: Place, kind: str, due_at: int) -> None:
    """Let a run wait without a slot: until `due_at` (kinds delay, retry, version), or until one of
    its waits is over (kind wait), which has a timer of its own if it ends by time.
    """
    env_id, queue, ckey, version = place.lane
    batch.changes.park.append(
        (
            place.run_id,
            env_id,
            queue,
            ckey,
            version,
            place.ord,
            kind,
            due_at,
            place.epoch,
            place.attempt,
            place.started_at,
            place.active_ms,
            place.session_id,
        )
    )
    if kind != "wait":
        remind(state, batch, due_at, kind, place.run_id)


def remind(state: State, batch: Batch, at: int, kind: str, run_id: str) -> None:
    """Set a durable timer."""
    batch.changes.timer.append((at, kind, run_id))
    state.timers.add((at, kind, run_id, ""))


def forget(state: State, batch: Batch, at: int, kind: str, run_id: str) -> None:
    """Take a durable timer back."""
    batch.changes.drop_timer.append((at, kind, run_id))
    state.timers.cancel((at, kind, run_id, ""))
