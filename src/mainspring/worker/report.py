"""What is reported of an attempt that ended: one `Finished` for each way. No sending."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from mainspring.model.run import RunError
from mainspring.wire.worker import Execute, Finished
from mainspring.worker import outcome
from mainspring.worker.outcome import Phase
from mainspring.worker.slots import Held, Stop


def completed(run: Held, output: str, active_ms: int) -> Finished:
    """The body returned. After a cancel too: the server knows of that, and decides."""
    if run.stop is Stop.TIMED_OUT:
        return timed_out(run, active_ms)
    order = run.order
    return Finished(order.run_id, order.epoch, "completed", output, None, None, active_ms)


def failed(run: Held, error: BaseException, phase: Phase, active_ms: int) -> Finished:
    """The body raised, or never came to run."""
    if run.stop is Stop.TIMED_OUT:
        return timed_out(run, active_ms)
    order = run.order
    if run.stop is Stop.CANCELED and isinstance(error, asyncio.CancelledError):
        return Finished(order.run_id, order.epoch, "canceled", active_ms=active_ms)
    word, described, after_ms = outcome.of(error, phase)
    return Finished(order.run_id, order.epoch, word, None, described, after_ms, active_ms)


def timed_out(run: Held, active_ms: int) -> Finished:
    """Its max_duration is used up; what the body made of that does not matter."""
    order = run.order
    seconds = (order.max_duration_ms or 0) / 1000
    message = f"The run was active for longer than its max_duration of {seconds:g} s."
    error = RunError(message, "MaxDurationExceeded", code="max_duration_exceeded")
    return Finished(order.run_id, order.epoch, "timed_out", error=error, active_ms=active_ms)


def unknown_task(order: Execute, tasks: Iterable[str]) -> Finished:
    """The order names a task that this process does not have."""
    known = ", ".join(sorted(tasks)[:20]) or "none"
    error = RunError(
        f"This worker has no task {order.task!r}; it has {known}.",
        "UnknownTask",
        code="unknown_task",
    )
    return Finished(order.run_id, order.epoch, "crashed", error=error)
