"""Rows of a list of runs as the owner knows them. No pages, no answers."""

from __future__ import annotations

import msgspec

from mainspring.engine import versions
from mainspring.engine.state import State
from mainspring.model.run import Run, RunFilter, Status
from mainspring.store.protocol import Store


async def runs(state: State, store: Store, env_id: int, wanted: RunFilter) -> list[Run]:
    """Up to `wanted.limit` + 1 runs, newest first. Some that do not `fit` are among them: dequeued
    and executing runs are one in the rows, and so are queued ones and those without a worker.
    """
    words = wanted.status
    if Status.DEQUEUED in words and Status.EXECUTING not in words:
        words = (*words, Status.EXECUTING)
    if (
        Status.PENDING_VERSION in words
        and Status.QUEUED not in words
        and versions.pending_there(state, env_id)
    ):
        words = (*words, Status.QUEUED)
    wanted = msgspec.structs.replace(wanted, status=words)
    rows = await store.runs.page(state.shard_id, env_id, wanted)
    for run in rows:
        tell_status(state, run)
    return rows


def fit(run: Run, wanted: RunFilter) -> bool:
    """Whether a run's status is one that was asked for."""
    return not wanted.status or run.status in wanted.status


def tell_status(state: State, run: Run) -> None:
    """The rows do not say whether the body of an active run has begun, and whether a worker has the
    version of a queued one; the owner's memory does.
    """
    versions.tell_pending(state, run)
    live = state.lives.get(run.id)
    if live is not None and run.status is Status.EXECUTING and not live.begun:
        run.status = Status.DEQUEUED
