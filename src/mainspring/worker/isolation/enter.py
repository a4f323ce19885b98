"""What a freshly forked process does before the user's code: lineage, limits, files, chance."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from typing import Final

from mainspring.model.machine import Limits
from mainspring.worker.isolation import kernel
from mainspring.worker.isolation.cgroup import Group

_CPU_MORE_S: Final = 5
"""Between the signal that ends a process with too much processor time and the one that must."""
_SLACK: Final = 256 * 1024 * 1024
"""What a watched process may reserve beyond twice its limit; it is measured ten times a second."""


def enter(
    zygote: int,
    files: tuple[int, int, int],
    limits: Limits,
    group: Group | None,
    own: tuple[int, ...],
) -> None:
    """Turn a copy of the zygote into a process for one run; `files` are its link, stdout, stderr,
    `own` the signals that the zygote has handlers for.

    Raises: OSError when a limit cannot be set.
    """
    os.setsid()
    if not kernel.die_with_parent(zygote, signal.SIGKILL):
        os._exit(1)
    # whoever a descendant leaves behind stays below this run, so that it can be told apart
    kernel.adopt_orphans()
    _default_signals(own)
    link, out, err = files
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.set_inheritable(link, False)
    _limit(limits, group)
    with contextlib.suppress(OSError):  # the machine is out of memory: rather this one than others
        _write("/proc/self/oom_score_adj", b"500")
    _shuffle()


def handled() -> tuple[int, ...]:
    """Signals that this process, so far, does not leave to the kernel's default."""
    restored = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    return tuple(
        int(number)
        for number in signal.valid_signals()
        if number in restored or callable(signal.getsignal(number))
    )


def _default_signals(own: tuple[int, ...]) -> None:
    """No handler of the zygote, or of imported code, holds in a run."""
    for number in own:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _limit(limits: Limits, group: Group | None) -> None:
    _at_most(resource.RLIMIT_CORE, 0, None)  # gigabytes of a crashed run fill the disk
    if limits.cpu_seconds is not None:
        _at_most(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + _CPU_MORE_S)
    if group is not None:
        group.join()
    elif limits.memory is not None:
        # private writable memory, not all addresses: interpreters and libraries reserve those
        # freely without using them
        most = kernel.data_size(os.getpid()) + 2 * limits.memory + _SLACK
        _at_most(resource.RLIMIT_DATA, most, most)


def _at_most(which: int, soft: int, hard: int | None) -> None:
    """Lower a limit of this process; never raise it."""
    _, ceiling = resource.getrlimit(which)
    if hard is None or (ceiling != resource.RLIM_INFINITY and ceiling < hard):
        hard = ceiling
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(which, (soft, hard))


def _write(path: str, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def _shuffle() -> None:
    """No two runs throw the same dice; Python's own `random` sees to that itself at a fork."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        with contextlib.suppress(AttributeError, ImportError):
            numpy.random.seed(int.from_bytes(os.urandom(4)))
