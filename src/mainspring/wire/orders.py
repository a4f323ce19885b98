"""The order of an attempt, made again from the run as readers know it."""

from __future__ import annotations

from mainspring.model.run import Run
from mainspring.wire.worker import Execute


def order_of(run: Run, epoch: int, payload: str) -> Execute:
    """What an attempt of that run is ordered with; without a journal."""
    return Execute(
        run.id,
        epoch,
        run.attempt,
        run.task,
        payload,
        run.queue,
        run.concurrency_key,
        run.max_attempts,
        run.max_duration_ms,
        run.created_at,
        run.tags,
        run.metadata,
        run.idempotency_key,
        run.parent_id,
        run.root_id,
        run.depth,
        run.is_test,
        run.version,
        run.priority_ms,
        run.active_ms,
    )
