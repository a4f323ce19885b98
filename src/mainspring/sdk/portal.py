"""Awaiting from blocking code: one background event loop for the whole process."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Final, TypeVar

from mainspring.errors import Misplaced

T = TypeVar("T")


class Portal:
    """A daemon thread with an event loop, started by its first use, one per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._forget)

    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop of the portal."""
        loop = self._loop
        if loop is not None:
            return loop
        with self._lock:
            if self._loop is None:
                ready = threading.Event()
                self._thread = threading.Thread(
                    target=lambda: asyncio.run(self._serve(ready)),
                    name="mainspring-sync",
                    daemon=True,
                )
                self._thread.start()
                ready.wait()
            assert self._loop is not None
            return self._loop

    @property
    def serves_here(self) -> bool:
        """Whether it runs, and this thread may wait for it."""
        return self._loop is not None and asyncio._get_running_loop() is None

    def close(self) -> None:
        """Stop the thread; connections held by its loop are closed. Safe to call twice."""
        with self._lock:
            loop, stop, thread = self._loop, self._stop, self._thread
            self._loop = self._stop = self._thread = None
        if loop is not None and stop is not None and thread is not None:
            loop.call_soon_threadsafe(stop.set)
            thread.join(timeout=5)

    async def _serve(self, ready: threading.Event) -> None:
        self._stop = stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        ready.set()
        await stop.wait()

    def _forget(self) -> None:
        # threads do not survive a fork
        self._lock = threading.Lock()
        self._loop = self._stop = self._thread = None


_portal: Final = Portal()
atexit.register(_portal.close)


def run(awaitable: Awaitable[T]) -> T:
    """Await something from blocking code and give back its result.

    The caller's context variables are visible inside, so it works in the thread of a `def` task.

    Raises: Misplaced on a thread whose event loop runs, which it would block.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pending = asyncio.run_coroutine_threadsafe(_settle(awaitable), _portal.loop())
        try:
            return pending.result()
        except BaseException:
            pending.cancel()
            raise
    if inspect.iscoroutine(awaitable):
        awaitable.close()
    raise Misplaced(
        "A blocking form was called on a thread whose event loop is running, and would stop "
        "everything else there; await the form without `_sync` instead."
    )


def iterate(items: AsyncIterator[T]) -> Iterator[T]:
    """Walk through an async iterator from blocking code. Raises: Misplaced as `run` does."""
    try:
        while True:
            try:
                yield run(anext(items))
            except StopAsyncIteration:
                return
    finally:
        close = getattr(items, "aclose", None)
        if close is not None and _portal.serves_here:
            run(close())


async def _settle(awaitable: Awaitable[T]) -> T:
    return await awaitable
