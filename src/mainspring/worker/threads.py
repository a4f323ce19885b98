"""Threads for plain functions: as many as there are slots, made when needed. No results here."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from queue import SimpleQueue

Call = Callable[[], None]


class Threads:
    """Executes calls in daemon threads, each one call at a time; used from one thread.

    Daemons, because a body that never ends must not keep the process from ending.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    def submit(self, call: Call) -> None:
        """Execute the call as soon as a thread is free. It must not raise."""
        self._calls.put(call)
        if not self._idle.acquire(blocking=False) and self._count < self.limit:
            self._count += 1
            name = f"run-{self._count}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def lend(self) -> Call:
        """Count a thread of the caller's as one of these: it has to call what is returned."""
        self._count += 1
        return self._work

    def close(self) -> None:
        """Let idle threads end, and busy ones after what they do."""
        for _ in range(self._count):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # an idle thread must not keep the last run's values alive
            self._idle.release()


def interrupt(thread: int, error: type[BaseException] | None) -> None:
    """Raise `error` in a thread at its next Python instruction; None takes back one not raised yet.

    A thread inside a blocking call of C notices only when that returns.
    """
    value = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), value)
