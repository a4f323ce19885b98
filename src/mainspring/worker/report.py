"""What is reported of an attempt that ended: one `Finished` for each way. No sending."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterable, Sequence
from typing import Final

from mainspring.model.run import RunError
from mainspring.sdk.signals import Continued, Divergence, Signal
from mainspring.wire.worker import Execute, Finished
from mainspring.worker import outcome
from mainspring.worker.outcome import Phase
from mainspring.worker.slots import Held, Stop

SHOWN: Final = 10
_CANCELED: Final = (asyncio.CancelledError, concurrent.futures.CancelledError)


def completed(run: Held, output: str, active_ms: int) -> Finished:
    """The body returned. After a cancel too: the server knows of that, and decides."""
    if run.stop is Stop.TIMED_OUT:
        return timed_out(run, active_ms)
    order = run.order
    signal = _signal(run) if run.port is not None else None
    if signal is not None:
        return left(order, signal, active_ms)
    return Finished(order.run_id, order.epoch, "completed", output, None, None, active_ms)


def failed(run: Held, error: BaseException, phase: Phase, active_ms: int) -> Finished:
    """The body raised, or never came to run."""
    if run.stop is Stop.TIMED_OUT:
        return timed_out(run, active_ms)
    order = run.order
    signal = error if isinstance(error, Signal) else _signal(run)
    if signal is not None:
        return left(order, signal, active_ms)
    if run.stop is Stop.CANCELED and isinstance(error, _CANCELED):
        return Finished(order.run_id, order.epoch, "canceled", active_ms=active_ms)
    word, described, after_ms = outcome.of(error, phase)
    return Finished(order.run_id, order.epoch, word, None, described, after_ms, active_ms)


def left(order: Execute, signal: Signal, active_ms: int) -> Finished:
    """The code asked for a fresh journal, or does not fit the one it has."""
    run_id, epoch = order.run_id, order.epoch
    if isinstance(signal, Continued):
        return Finished(run_id, epoch, "continued", signal.payload, active_ms=active_ms)
    error = signal.error if isinstance(signal, Divergence) else None
    return Finished(run_id, epoch, "diverged", error=error, active_ms=active_ms)


def removed_steps(keys: Sequence[str]) -> str:
    """The warning for a run that completed without coming to all that is in its journal."""
    names = ", ".join(repr(key) for key in keys[:SHOWN])
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return (
        f"The journal of this run holds what its code did not come to any more: {names}{more}. "
        "Steps were removed or renamed while it ran; what they did before has been done."
    )


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


def _signal(run: Held) -> Signal | None:
    """The signal that has left the code, though something may have swallowed it."""
    journal = run.ctx.opened
    return journal.ended if journal is not None else None
