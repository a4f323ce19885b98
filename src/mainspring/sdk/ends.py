"""Waiting, in the code of a run, for other runs to end: a moment in the slot, then without it."""

from __future__ import annotations

from typing import Final, cast

from mainspring.errors import ResultTimeout, RunFailed
from mainspring.model.duration import Duration, milliseconds
from mainspring.model.run import Run
from mainspring.sdk import hooks, transport
from mainspring.sdk.context import running
from mainspring.sdk.journal import Journal, Place, quoted
from mainspring.sdk.scopes import current_branch
from mainspring.wire.calls import AwaitRun, GetOutcomes, Outcome, Outcomes
from mainspring.wire.worker import Entry, Wait

HOT_MS: Final = 1_000
"""How long a run keeps its slot for another to end: giving it back and taking one again costs two
commits and the place in the queue.
"""
PAGE: Final = 100
SHOWN: Final = 64
"""Characters of an id that a key shows; there is no longer id."""


def journal_here(to: transport.Transport | None) -> Journal | None:
    """The journal that a wait for a run of the engine behind `to` belongs to.

    None where it cannot be durable: outside of runs, for a run of another server, in the body of a
    step, which is recorded as one thing, and in a hook around a wait.
    """
    ctx, branch = running.get(), current_branch.get()
    if ctx is None or ctx.open_journal is None or (branch is not None and branch.step is not None):
        return None
    if to not in (None, transport.active.get()) or hooks.around_wait.get():
        return None
    return ctx.journal


async def outcome(journal: Journal, run_id: str, timeout: Duration | None) -> Outcome:
    """How the run has ended, once it has. Raises: ResultTimeout, NotFound, Deadlock."""
    run = await _ended(journal, run_id, timeout, whole=False)
    if run is not None:
        return Outcome(run.id, run.task, run.status.value, run.output, run.error)
    found = await outcomes(journal, [run_id])
    if run_id not in found:
        raise lost(run_id)
    return found[run_id]


async def final(journal: Journal, run_id: str, timeout: Duration | None) -> Run:
    """The whole run, once it has ended. Raises: as `outcome`."""
    run = await _ended(journal, run_id, timeout, whole=True)
    return run or cast("Run", await journal.call(AwaitRun(run_id, 0)))


async def outcomes(journal: Journal, ids: list[str]) -> dict[str, Outcome]:
    """How runs have ended, by id; those that are not kept any more are left out."""
    found: dict[str, Outcome] = {}
    for start in range(0, len(ids), PAGE):
        page = await journal.call(GetOutcomes(ids[start : start + PAGE]))
        found.update((each.run_id, each) for each in cast("Outcomes", page).outcomes)
    return found


def lost(run_id: str, task: str = "") -> RunFailed:
    """For a run that was waited for and is not kept any more."""
    return RunFailed(
        f"Run {run_id}{f' of task {task}' if task else ''} has ended, and its outcome is not kept "
        "any more; keep runs longer than their parents may wait."
    )


async def _ended(
    journal: Journal, run_id: str, timeout: Duration | None, *, whole: bool
) -> Run | None:
    """Return once the run has ended, with it if it was seen; what is answered once is kept."""
    left = None if timeout is None else milliseconds(timeout, "timeout")
    place = journal.place(f"wait:run:{quoted(run_id[:SHOWN])}")
    journal.check(place, "run", "")
    if place.entry is None:
        # an earlier epoch may have left this wait behind, whose end counts
        hot = HOT_MS if journal.fresh else 0
        began = journal.clock.monotonic()
        asked = AwaitRun(run_id, hot if left is None else min(left, hot), whole, left != 0)
        run = cast("Run", await journal.call(asked))
        if left is not None:
            left = max(0, left - int((journal.clock.monotonic() - began) * 1000))
        if journal.fresh and run.status.is_final:
            _keep(journal, place, "completed")
            return run
        if journal.fresh and left == 0:
            _keep(journal, place, "timed_out")
            raise _late(run_id, timeout)
    wait = Wait("", 0, journal.generation, place.key, place.seq, "run", [run_id], left)
    entry = await journal.wait(place, wait)
    if entry.status == "timed_out":
        raise _late(run_id, timeout)
    return None


def _keep(journal: Journal, place: Place, status: str) -> None:
    now = journal.clock.now()
    journal.post(Entry(place.key, place.seq, "run", status, started_at=now, ended_at=now))


def _late(run_id: str, timeout: Duration | None) -> ResultTimeout:
    # says the same in a replay, so nothing of how the run stands
    return ResultTimeout(
        f"Run {run_id} has not ended within {timeout} seconds; it goes on, ask again with the same "
        "handle.",
        details={"run_id": run_id},
    )
