"""What is said of a run that is not there: unknown, deleted after its time, or archived."""

from __future__ import annotations

from mainspring.engine.archiving import name_of
from mainspring.engine.owner import Owner
from mainspring.errors import NotFound, RunArchived
from mainspring.ids import shard_of, time_of
from mainspring.model.limits import DAY_MS


def missing(run_id: str) -> NotFound:
    """The error for a run that is unknown here; a foreign one looks the same."""
    return NotFound(f"No run {run_id[:80]!r} in this environment; `mainspring runs ls` lists them.")


async def unknown(owner: Owner, run_id: str) -> NotFound:
    """The error for an id of which there is no run in the shard. One lookup, and only for ids that
    the shard could have made. Raises: StoreUnavailable.

    Nobody remembers single runs that are gone: it says what became of runs of that time.
    """
    try:
        at, here = time_of(run_id), shard_of(run_id) == owner.state.shard_id
    except ValueError:
        return missing(run_id)
    if not here or not run_id.startswith("run_"):
        return missing(run_id)
    row = await owner.store.past.archives.holding(owner.state.shard_id, run_id)
    if row is not None:
        name = name_of(row)
        return RunArchived(
            f"Run {run_id} is not in the database any more: runs of its time were archived. If it "
            f"ever was, it is in run/{name}.parquet of the archive.",
            details={"archive": name},
        )
    keep_ms = owner.retention.keep_ms
    if keep_ms and at < owner.state.clock.now() - keep_ms:
        return NotFound(
            f"No run {run_id} in this environment any more: runs are deleted {keep_ms // DAY_MS} "
            "days after their end."
        )
    return missing(run_id)
