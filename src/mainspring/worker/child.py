"""The process that holds the user's code: imports it, and serves one session after the other.

`python -m mainspring.worker.child FD`, started by `supervise`; FD is its end of the channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import logging
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import uvloop

from mainspring.clock import SystemClock
from mainspring.errors import MainspringError, TaskError
from mainspring.sdk import observe, scan, transport as sdk_transport
from mainspring.sdk.registry import registry
from mainspring.wire.worker import Goodbye
from mainspring.worker import hidden
from mainspring.worker.beat import Beats
from mainspring.worker.budget import Budget
from mainspring.worker.capture import Capture, captured, hide_in_streams
from mainspring.worker.channel import (
    REFUSED_STATUS,
    ChildConfig,
    ChildEnd,
    Connection,
    Draining,
    Full,
    Opened,
    Problem,
    Ready,
    Refused,
)
from mainspring.worker.given import take_on
from mainspring.worker.isolation import zygote
from mainspring.worker.isolation.apart import Apart
from mainspring.worker.isolation.body import work
from mainspring.worker.isolation.forks import Forks
from mainspring.worker.lease import Lease
from mainspring.worker.park import graveyard
from mainspring.worker.posts import Posts
from mainspring.worker.session import Session
from mainspring.worker.watchdog import Watchdog, report
from mainspring.worker.websocket import WebSocketLink

PROGRESS_S: Final = 1.0
COLLECT: Final = (25_000, 20, 20)
"""Thresholds of the garbage collector. Thousands of waiting coroutines live long; with Python's own
thresholds looking through them again and again takes more time than all the rest.
"""
PAUSE_S: Final = 0.5
"""Between two sessions, so that a server that ends each at once is not hammered."""

log = logging.getLogger("mainspring.worker")


class Child:
    """Serves sessions until SIGTERM, until it is refused, or until its supervisor is gone."""

    def __init__(
        self, config: ChildConfig, channel: ChildEnd, helper: zygote.Started | None = None
    ) -> None:
        """`helper`: the zygote, if there are tasks that want a process of their own."""
        self._forks = Forks(*helper, self._alone) if helper is not None else None
        self._config = config
        self._channel = channel
        self._clock = SystemClock()
        self._capture = Capture(self._clock, echo=config.echo)
        self._session: Session | None = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Work; returns the exit status."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        # Ctrl-C reaches every process of a terminal; the supervisor decides what it means
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        beats = Beats(
            Posts(self._config.url, self._config.key, environment=self._config.environment),
            renewed=lambda lease: self._on_loop(loop, lease, _renewed),
            lapsed=lambda lease: self._on_loop(loop, lease, Session.lapse),
            lifeline=self._channel.fileno(),
            orphaned=_end_at_once,
        )
        beats.start()
        watchdog = Watchdog(self._blocked)
        watchdog.start()
        if self._forks is not None:
            self._forks.start()
        try:
            with captured(self._capture):
                return await self._sessions(beats)
        finally:
            watchdog.stop()
            beats.stop()

    async def _sessions(self, beats: Beats) -> int:
        while not self._stop.is_set():
            lease = Lease(f"ses_{secrets.token_hex(10)}", self._clock)
            session = self._session = Session(
                lease.session_id,
                registry,
                self._config.slots,
                self._clock,
                version=self._config.version,
                lease=lease,
                capture=self._capture,
            )
            link = WebSocketLink(
                self._config.url,
                self._config.key,
                session.hello,
                lease=lease,
                tell=lambda up, reason: self._channel.tell(Connection(up, reason)),
                environment=self._config.environment,
            )
            if self._forks is not None:
                Apart(session, self._forks, self._capture, warm_s=self._config.warm_s)
            # before the server hears of the session: who dies now can still be reported
            self._channel.tell(Opened(session.id))
            sdk_transport.install(session.transport)
            beats.follow(lease)
            await session.start(link)
            with self._watched(session):
                goodbye = await self._first(session)
            if goodbye is None:
                async with self._progress(session):
                    await session.drain(self._config.drain_s)
                return _status(session.lingering)
            log.warning("worker session %s is over: %s", session.id, goodbye.reason)
            await session.abandon()
            if not goodbye.retry:
                self._channel.tell(Refused(link.refusal_code, goodbye.reason))
                return _status(0, REFUSED_STATUS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S):
                    await self._stop.wait()
        return _status(0)

    @contextlib.contextmanager
    def _watched(self, session: Session) -> Iterator[None]:
        """Ask to be replaced when too much waits in this process."""
        budget = Budget(session.runner.parking, self._config.parked, self._config.memory)
        budget.full.add_done_callback(self._full)
        session.runner.stirred = budget.look
        budget.start()
        try:
            yield
        finally:
            budget.stop()

    def _full(self, full: asyncio.Future[str]) -> None:
        if not full.cancelled():
            self._channel.tell(Full(full.result()))

    async def _first(self, session: Session) -> Goodbye | None:
        """The session's end, or None when this process is to stop first."""
        stop = asyncio.create_task(self._stop.wait())
        ends: set[asyncio.Future[Any]] = {stop, session.ended}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        return session.ended.result() if session.ended.done() else None

    @contextlib.asynccontextmanager
    async def _progress(self, session: Session) -> AsyncIterator[None]:
        """Report how many runs are left, about each second."""

        async def report() -> None:
            while True:
                self._channel.tell(Draining(session.running))
                await asyncio.sleep(PROGRESS_S)

        reporting = asyncio.create_task(report())
        try:
            yield
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)

    def _blocked(self, task: asyncio.Task[Any] | None, stack: str) -> None:
        """From the watchdog's thread: the event loop stands still."""
        if self._session is not None:
            report(self._session.runner.slots, self._capture, task, stack)

    def _alone(self) -> None:
        """The zygote has died, and no other can be made of a process that has threads."""
        log.error("the zygote of worker process %s has died; the worker starts anew", os.getpid())
        self._stop.set()

    def _on_loop(
        self, loop: asyncio.AbstractEventLoop, lease: Lease, act: Callable[[Session], None]
    ) -> None:
        """From the beat thread: do something with the lease's session, if it is the current one."""

        def now() -> None:
            if self._session is not None and self._session.lease is lease:
                act(self._session)

        with contextlib.suppress(RuntimeError):  # the loop has just ended
            loop.call_soon_threadsafe(now)


def _end_at_once() -> None:
    """The supervisor is gone: end, with everything that runs have started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _renewed(session: Session) -> None:
    if observe.observers:
        session.renewed()


def _status(lingering: int, status: int = 0) -> int:
    """How to end: at once when a body still goes on in spite of everything, or would be ended with
    the event loop although another worker executes it.
    """
    if lingering:
        log.warning("%s bodies did not end; this process ends without them", lingering)
    if lingering or graveyard:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _problem(error: TaskError) -> Problem:
    found = Problem.of(error)
    return Problem(found.code, hidden.shown(found.message), hidden.shown(found.traceback))


def _zygote(channel: ChildEnd, apart: bool) -> zygote.Started | None:
    """The helper of runs that get a process of their own; before the first thread starts."""
    wanted = any(task.spec.isolation == "process" for task in registry.tasks.values())
    if not wanted and not apart:
        return None
    control, up = zygote.start(work, closing=(channel.fileno(),))
    if not wanted:
        return control, up
    if up.problem:
        log.error("tasks with isolation='process' cannot be executed: %s", up.problem)
    elif up.warning:
        log.warning("tasks with isolation='process': %s", up.warning)
    return control, up


def main(fd: int) -> int:
    """Import, report, wait for GO, work; returns the exit status."""
    channel = ChildEnd(fd)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # a killed process must not keep lines back
    config = channel.config()
    if config is None:
        return 1
    try:
        if not take_on(config, channel):
            return 1
    except MainspringError as error:
        channel.tell(Refused(error.code, error.message))
        return REFUSED_STATUS
    hide_in_streams()
    found = scan.scan(config.dirs, config.ignore, config.root or None)
    channel.tell(Ready(tuple(sorted(registry.tasks)), tuple(map(_problem, found.errors))))
    if not channel.wait_for_go():
        return 0
    gc.collect()
    gc.freeze()  # what was imported is never garbage, so collections need not look at it
    gc.set_threshold(*COLLECT)
    helper = _zygote(channel, config.apart)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(Child(config, channel, helper).run())
    except MainspringError as error:
        channel.tell(Refused(error.code, error.message))
        return REFUSED_STATUS


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
