"""Put a run that failed beside those that failed alike, in the commit that ends it."""

from __future__ import annotations

from typing import Final

from mainspring.engine.aftermath import BAD
from mainspring.engine.batch import Batch
from mainspring.engine.live import Live
from mainspring.model.fingerprint import SHOWN, fingerprint, place
from mainspring.model.limits import NAME_LENGTH
from mainspring.model.run import RunError, Status
from mainspring.store.protocol import LiveRow

MARK: Final = "#"
"""Before a fingerprint, where it stands among the names of errors."""


def note(batch: Batch, run: Live | LiveRow, version: str, status: Status, error: RunError) -> None:
    """Make the run findable by its error. One that was canceled or came too late is no failure."""
    marks = batch.changes.mark
    marks.append((run.env_id, "error", error.name[:NAME_LENGTH], run.run_id))
    if status not in BAD:
        return
    at = place(error.stack)
    found = fingerprint(run.task, error, at)
    marks.append((run.env_id, "error", MARK + found, run.run_id))
    group, faults = (run.env_id, found), batch.changes.fault
    there = batch.faults.setdefault(group, len(faults))
    alike = faults[there][6] if there < len(faults) else 0
    row = (
        run.env_id,
        found,
        run.task,
        error.name[:NAME_LENGTH],
        at,
        error.message[:SHOWN],
        alike + 1,
        batch.now,
        run.run_id,
        version,
        run.created_at,
    )
    faults[there : there + 1] = [row]
