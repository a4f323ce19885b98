"""From how a process ended to the error that people read. Nothing is watched or ended here."""

from __future__ import annotations

import signal
from typing import Final

from mainspring.model.machine import Limits
from mainspring.model.run import RunError
from mainspring.worker.isolation.control import Gone

OUT_OF_MEMORY: Final = "out_of_memory"
STACK_MARK: Final = "Fatal Python error"
_SIGNALS: Final[dict[int, str]] = {
    signal.SIGSEGV: "it, or a library that it uses, touched memory that is not its own",
    signal.SIGABRT: "it, or a library that it uses, gave up with abort()",
    signal.SIGKILL: "somebody ended it, or the machine ran out of memory",
    signal.SIGTERM: "somebody asked it to end",
}


def crashed(gone: Gone, limits: Limits, said: str) -> RunError:
    """Why an attempt ended without a word. `said` is the last of what it wrote to stderr."""
    if gone.problem:
        return RunError(gone.problem, "IsolationUnavailable", code="isolation_unavailable")
    if gone.out_of_memory:
        return out_of_memory(limits)
    stack = said[said.rindex(STACK_MARK) :] if STACK_MARK in said else ""
    if gone.status >= 0:
        message = (
            f"The run's process ended with exit status {gone.status} before the task returned; "
            "return or raise an error instead of ending the process."
        )
        details = {"status": gone.status}
        return RunError(message, "ProcessExited", stack, "process_exited", details)
    number = -gone.status
    if number == signal.SIGXCPU:
        message = (
            f"The run's process used more than its {limits.cpu_seconds} s of processor time; "
            "raise Machine(cpu_seconds=…), or do less in one run."
        )
        return RunError(message, "CpuTimeExceeded", stack, "cpu_time_exceeded")
    name = _name(number)
    reason = _SIGNALS.get(number)
    message = f"The run's process was killed by {name}" + (f": {reason}." if reason else ".")
    return RunError(message, "ProcessKilled", stack, "process_killed", {"signal": name})


def out_of_memory(limits: Limits, stack: str = "") -> RunError:
    """The attempt reached its memory limit."""
    size = f"its limit of {(limits.memory or 0) / 1024**2:,.0f} MB"
    message = (
        f"The run's process needed more memory than {size}; give the task a larger `machine`, or "
        "name one for the next attempt with Retry(on_out_of_memory=…)."
    )
    return RunError(message, "OutOfMemory", stack, OUT_OF_MEMORY, {"limit": limits.memory})


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
