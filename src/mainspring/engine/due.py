"""Plan what timers bring: delays and retries become ready, old runs expire, cancels cascade, and
schedules fire.
"""

from __future__ import annotations

import msgspec

from mainspring.dispatch.timers import Timer
from mainspring.engine import ticks, token, wait
from mainspring.engine.batch import Batch, Facts, KeyId, Wanted
from mainspring.engine.cancel import end_waiting
from mainspring.engine.place import Place, enqueue, park, remind
from mainspring.engine.state import State
from mainspring.engine.trigger import REF, VERSION_RETRY_MS
from mainspring.model.run import RunError, Status
from mainspring.store.changes import RunOptions
from mainspring.store.protocol import LiveRow

MOST = 1000
"""Timers in one commit, so that a herd of them leaves room for other work."""

_decode_options = msgspec.json.Decoder(RunOptions).decode


class Due:
    """The timers that fire in one turn."""

    def __init__(self, timers: list[Timer]) -> None:
        self.timers = timers

    def want(self, wanted: Wanted) -> None:
        """Every run and schedule whose timer fires."""
        for _, kind, run_id, _ in self.timers:
            if kind == ticks.TIMER:
                wanted.schedules.add(run_id)
                continue
            wanted.located.add(run_id)
            if kind == "ttl":
                wanted.ending.add(run_id)
            elif kind == token.TIMER:
                token.want_expiry(wanted, run_id)
            elif kind.startswith(wait.TIMER):
                wanted.edges.add(run_id)

    def pending(self, facts: Facts) -> set[KeyId]:
        """The debounce keys of runs that become ready: they take the pending payload."""
        keys: set[KeyId] = set()
        for _, kind, run_id, _ in self.timers:
            row = facts.located.get(run_id)
            if kind == "delay" and row is not None and row.options:
                key = _decode_options(row.options).debounce_key
                if key is not None:
                    keys.add((row.env_id, row.task, key))
        return keys

    def plan(self, state: State, batch: Batch, facts: Facts) -> list[tuple[int, str]]:
        """Write the rows; returns (time of the timer, run) whose children are to be canceled."""
        cascades = []
        dropped = set(batch.changes.drop_timer)
        for at, kind, run_id, _ in self.timers:
            if kind.startswith(wait.TIMER):  # also of a run that this turn has changed
                batch.changes.drop_timer.append((at, kind, run_id))
                key = kind.removeprefix(wait.TIMER)
                wait.time_is_up(state, batch, facts, at, key, run_id)
                continue
            if run_id in batch.touched:
                if (at, kind, run_id) not in dropped:
                    state.timers.add((at, kind, run_id, ""))
                continue
            if kind == ticks.TIMER:
                ticks.fire(state, batch, facts, (at, kind, run_id, ""))
                continue
            if kind == "cascade":
                cascades.append((at, run_id))  # its timer goes when all children are canceled
                continue
            batch.changes.drop_timer.append((at, kind, run_id))
            if kind == token.TIMER:
                token.expire(state, batch, facts, run_id)
                continue
            row = facts.located.get(run_id)
            if row is None:
                continue
            elif kind == "ttl":
                if row.place == "ready" and not row.started_at:
                    expire(state, batch, row)
            elif (row.place, row.kind, row.due_at) == ("parked", kind, at):
                ready(state, batch, facts, row)
        return cascades


def expire(state: State, batch: Batch, row: LiveRow) -> None:
    """End a run that nobody claimed within its time to live."""
    error = RunError("The run was not started within its ttl.", "Expired", code="expired")
    end_waiting(state, batch, row, Status.EXPIRED, error)


def ready(state: State, batch: Batch, facts: Facts, row: LiveRow) -> None:
    """Move a parked run whose time has come into its lane."""
    batch.touched.add(row.run_id)
    batch.changes.drop_parked.append((row.run_id,))
    lane = (row.env_id, row.queue, row.ckey, row.version)
    place = Place(row.run_id, lane, row.ord, row.epoch, row.attempt, row.started_at, row.active_ms)
    if (row.env_id, row.task) not in state.tasks:
        park(state, batch, place, "version", batch.now + VERSION_RETRY_MS)
        return
    options = _decode_options(row.options) if row.options else None
    if row.kind == "delay" and options is not None:
        if options.debounce_key is not None:
            undo_debounce(batch, facts, row, options.debounce_key)
        if options.ttl_ms:
            remind(state, batch, batch.now + options.ttl_ms, "ttl", row.run_id)
    enqueue(state, batch, place)


def undo_debounce(batch: Batch, facts: Facts, row: LiveRow, key: str) -> None:
    """Free the debounce key and give the run its last payload."""
    pending = facts.debounces.get((row.env_id, row.task, key))
    if pending is None or pending.run_id != row.run_id:
        return
    batch.changes.drop_debounce.append((row.env_id, row.task, key))
    if pending.payload is not None:
        stored = pending.payload.removeprefix(REF) if pending.payload.startswith(REF) else None
        inline = pending.payload if stored is None else None
        batch.changes.payload.append((row.run_id, inline, stored))
