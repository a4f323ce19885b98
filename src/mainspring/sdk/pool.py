"""Threads in which plain functions of steps are executed, so that they hold up no event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

LIMIT: Final = 64


class Pool:
    """At most `limit` threads, started as they are needed; further calls wait for a free one.

    Daemons, because a function that never returns must not keep the process from ending.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._forget()
        if hasattr(os, "register_at_fork"):
            # threads do not survive a fork
            os.register_at_fork(after_in_child=self._forget)

    async def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the function returns or raises; it sees the caller's context variables.

        A cancelled caller goes on at once; the function is not stopped.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        bound = partial(contextvars.copy_context().run, func, *args, **kwargs)
        self._calls.put((loop, future, bound))
        if not self._idle.acquire(blocking=False):
            with self._lock:
                if self._count < self._limit:
                    self._count += 1
                    name = f"step-{self._count}"
                    threading.Thread(target=self._work, name=name, daemon=True).start()
        return await future

    def _forget(self) -> None:
        self._calls: SimpleQueue[Any] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._count = 0

    def _work(self) -> None:
        while True:
            loop, future, bound = self._calls.get()
            answer: tuple[Any, BaseException | None]
            try:
                answer = bound(), None
            except BaseException as error:  # noqa: BLE001 - carried over to whoever awaits it
                answer = None, error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_tell, future, answer)
            del loop, future, bound, answer  # an idle thread must not keep values alive
            self._idle.release()


def _tell(future: asyncio.Future[Any], answer: tuple[Any, BaseException | None]) -> None:
    if future.done():
        return
    value, error = answer
    if isinstance(error, StopIteration):  # no future can carry it
        stopped = RuntimeError("the function raised StopIteration")
        stopped.__cause__ = error
        error = stopped
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)


pool: Final = Pool()
