"""Ending bodies before their time: what may still be taken back, and how a thread is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from mainspring.worker.gathering import Gathering
from mainspring.worker.slots import Held, Stop
from mainspring.worker.threads import Threads, interrupt

GRACE_S: Final = 30.0
PATIENCE_S: Final = 5.0
"""How long a thread may look at `ctx.canceled` by itself before CancelledError is raised in it."""


class Stopper:
    """Decides the races between "begin" and "stop", which come from different threads; and stops.

    `forced` is called when a body has not ended within its grace time.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        threads: Threads,
        forced: Callable[[Held], None],
    ) -> None:
        self._loop = loop
        self._threads = threads
        self._forced = forced
        self._gate = threading.Lock()
        self._given_up: set[Held] = set()
        self._unwilling: set[asyncio.Task[None]] = set()
        self._calm = Gathering()

    def begin(self, run: Held, now: float, thread: int | None = None) -> bool:
        """Enter the body, from the loop or from its thread; False when it was stopped before."""
        with self._gate:
            if run.stop is not None:
                return False
            run.begun = True
            run.since = now
            run.thread = thread
            return True

    def take_back(self, run: Held) -> bool:
        """Make sure that the body never begins; False when it has begun."""
        with self._gate:
            if run.begun:
                return False
            run.stop = Stop.SILENT
            return True

    def enter(self, run: Held, thread: int) -> None:
        """A begun attempt's body is in a thread now. Raises: CancelledError if it must stop."""
        with self._gate:
            if run.stop is not None or run.over:
                raise asyncio.CancelledError
            run.thread = thread

    def leave(self, run: Held) -> None:
        """The body has left its thread; what was to be raised there too late is taken back."""
        with self._gate:
            thread, run.thread = run.thread, None
            if thread is not None and run.stop is not None:
                interrupt(thread, None)

    def stop(self, run: Held, why: Stop, grace_s: float = GRACE_S) -> None:
        """Tell the body to end. A coroutine gets CancelledError at once, a thread after a while."""
        with self._gate:
            run.stop, run.grace_s = why, grace_s
            in_thread = run.thread is not None
        run.ctx.canceled.set()
        if in_thread:
            # not watched: it is for the thread, which may outlive the attempt
            self._loop.call_later(min(PATIENCE_S, grace_s / 2), self._interrupt, run)
        elif run.work is not None and run.begun:
            run.work.cancel()
        if why is not Stop.SILENT:
            run.watch(self._loop.call_later(grace_s, self._forced, run))

    def given_up(self, run: Held) -> None:
        """The attempt is over, its body perhaps not: a thread still in it gets a replacement."""
        if run.thread is not None and run not in self._given_up:
            self._given_up.add(run)
            self._threads.limit += 1
        if run.work is not None and not run.work.done():
            self._unwilling.add(run.work)
            if run.apart:
                run.work.cancel()
            run.work.add_done_callback(self._gave_in)

    def returned(self, run: Held) -> None:
        """The thread of an attempt has come back; on the loop."""
        if run in self._given_up:
            self._given_up.discard(run)
            self._threads.limit -= 1
            self._calm_down()

    @property
    def lingering(self) -> int:
        """Bodies that go on although their attempt is over."""
        return len(self._given_up) + len(self._unwilling)

    async def calm(self) -> None:
        """Return once no body lingers."""
        if self.lingering:
            await self._calm.wait()

    def _gave_in(self, work: asyncio.Task[None]) -> None:
        self._unwilling.discard(work)
        self._calm_down()

    def _calm_down(self) -> None:
        if self._calm and not self.lingering:
            self._calm.release()

    def _interrupt(self, run: Held) -> None:
        with self._gate:
            if run.thread is not None:
                interrupt(run.thread, asyncio.CancelledError)
