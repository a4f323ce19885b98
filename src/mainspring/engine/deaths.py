"""Which run has ended a process: what is counted when workers are lost, and when that is enough.

A process that dies of itself is counted against a run that was alone in it. Of several that were,
each is a suspect: it goes on in a process of its own, whose death is its own. A worker that was
told to end, whose machine or lease was lost, or that somebody killed, is held against nobody; only
who loses such a worker again and again ends, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mainspring.engine.live import Live
from mainspring.model.run import RunError
from mainspring.store.waiting import JournalRow, LossesRow
from mainspring.wire.worker import Finished

DEATHS: Final = 3
"""How many processes a run may end, without progress, before it counts as the one that does."""
LOSSES: Final = 10
"""How often a run may lose its worker, for whatever reason, without progress."""
KILLS: Final = 5
"""How often its process may be killed before it gets one of its own."""
PAUSE_MS: Final = 2_000
"""Before a suspect executes again: a worker that can give it a process has to be there."""

ALONE: Final = "alone"
SUSPECT: Final = "suspect"
KILLED: Final = "killed"
"""Fingerprints of the entries that keep losses; "" when the process did not die of itself."""
_OF_PROCESSES: Final = frozenset({"process_exited", "process_killed"})


def mark(how: str, executed: int) -> str:
    """What the death of a process is for each run that it executed; `how` as `Session.died`."""
    if how == "crashed":
        return ALONE if executed == 1 else SUSPECT
    return KILLED if how == "killed" else ""


def is_own(live: Live, end: Finished) -> bool:
    """Whether the attempt has ended the process that it was given as a suspect."""
    error = end.error
    return (
        end.outcome == "crashed"
        and error is not None
        and error.code in _OF_PROCESSES
        and live.spec is not None
        and live.spec.isolation != "process"
    )


def judged(before: LossesRow, how: str, reason: str) -> tuple[RunError, bool]:
    """The error that is kept of a loss, and whether it ends the run."""
    alone, losses = before.alone + (how == ALONE), before.losses + 1
    if how == ALONE and alone >= DEATHS:
        message = (
            f"It has ended {alone} processes in which nothing else ran, the last time: {reason}. "
            "Mend what ends them, then replay the run."
        )
        return RunError(message, "PoisonRun", code="poison_run", details={"deaths": alone}), True
    message = f"Its worker was lost {losses} times; the last time: {reason}."
    return RunError(message, "WorkerLost", code="worker_lost"), losses > LOSSES


def is_suspect(before: LossesRow, how: str) -> bool:
    """Whether the run gets a process of its own from now on."""
    return how in (ALONE, SUSPECT) or before.killed + (how == KILLED) >= KILLS


def suspected(rows: Sequence[JournalRow]) -> bool:
    """The same, from the journal of the run."""
    came_on = max((row.epoch for row in rows if not row.key.startswith("!")), default=0)
    marks = [row.fingerprint for row in rows if row.kind == "lost" and row.epoch >= came_on]
    return ALONE in marks or SUSPECT in marks or marks.count(KILLED) >= KILLS
