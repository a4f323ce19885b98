"""The harness for tests of tasks: a real engine and worker in memory, and a clock moved by hand."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from mainspring.clock import ManualClock, SystemClock
from mainspring.errors import InvalidOptions
from mainspring.model.duration import Duration, milliseconds
from mainspring.model.run import Run, RunFilter, RunPage
from mainspring.sdk import transport
from mainspring.sdk.handles import Handle
from mainspring.sdk.task import Configured, Task
from mainspring.testing.faults import Error, Fault, Faults
from mainspring.testing.platform import Platform
from mainspring.testing.triggered import Triggered, complaint, matching
from mainspring.wire.calls import ListRuns, Request, Response, Retrieve

T = TypeVar("T")

ROUNDS: Final = 50
"""Iterations of the event loop after which code that only computes has come to its next wait."""
PATIENCE_S: Final = 5.0

TaskLike = Task[..., Any] | Configured[..., Any] | str


class Unsettled(AssertionError):
    """Bodies of runs go on although nothing in the engine holds them up."""


class Jobs:
    """An engine and a worker in this process, on a clock that only the test moves.

    Everything is real but time: the same engine, worker and SQL as in production, on SQLite in
    memory. Runs execute while the test settles, advances or awaits a result, and not before. Use
    the pytest fixture `jobs`, or `async with Jobs() as jobs`. It starts on the event loop of its
    first use; tasks must be declared by then.
    """

    def __init__(self, *, slots: int = 100) -> None:
        """`slots`: how many runs execute at once."""
        self._slots = slots
        self._clock = ManualClock(SystemClock().now())
        self._faults = Faults()
        self._platform: Platform | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = asyncio.Lock()

    @property
    def now(self) -> datetime:
        """The time that the engine lives in; it begins with the real one."""
        return datetime.fromtimestamp(self._clock.now() / 1000, UTC)

    async def settle(self, timeout: Duration = PATIENCE_S) -> None:
        """Let everything happen that can happen without moving the clock.

        Returns once each run has ended, waits for its time, for a limit or durably, or awaits
        another run. For a
        body that waits for something outside, a socket or `asyncio.sleep`, it waits too, for at
        most `timeout` of real time; with 0 it does not.

        Raises: Unsettled, which names the bodies that go on.
        """
        platform = await self._started()
        patience = milliseconds(timeout, "timeout") / 1000
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        with platform.opened():
            while True:
                await _calm(platform)
                busy = platform.busy
                left = until - loop.time()
                if not busy or not patience:
                    return
                if left <= 0:
                    raise Unsettled(await _unsettled(platform, busy, patience))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await platform.progress()

    async def advance(
        self,
        duration: Duration | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        timeout: Duration = PATIENCE_S,
    ) -> None:
        """Move the clock on, and let everything happen on the way, each at its own time.

        Delays, retries, lifetimes, debounces, rate limits and ticks come in their order, and after
        each of them the engine settles. `duration` is seconds, a timedelta or text such as "2h".

        Raises: Unsettled, as `settle` does.
        """
        parts = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        total = milliseconds(duration, "duration") if duration is not None else 0
        total += milliseconds(parts, "duration") if parts else 0
        platform = await self._started()
        until = self._clock.now() + total
        await self.settle(timeout)
        while self._clock.now() < until:
            self._clock.advance(await platform.next_at(until) - self._clock.now())
            await platform.engine.tick()
            await self.settle(timeout)

    def fail(
        self,
        target: Any,
        times: int = 1,
        error: Error | None = None,
    ) -> Fault:
        """Let the next `times` calls of a task's body, or of a function, raise `error`.

        A function is replaced wherever a module or a class refers to it, until the test ends.
        Returns the fault, whose `fired` and `left` count.

        Raises: InvalidOptions when nothing refers to the function.
        """
        return self._faults.inject(target, times, error)

    async def crash_and_resume(self, after: int | None = None, *, within: Duration = 0) -> int:
        """Kill the worker with everything that it executes; its runs execute again elsewhere.

        Runs that wait durably lose their coroutines, too: when they go on, they begin anew and pass
        over the steps that are in their journal. No `finally` of a killed wait is executed.

        With `after`, the code of runs first makes so many requests to the engine (triggers, results
        and the like, each step that is recorded, each wait that begins); the last one is carried
        out, but its answer is lost with the worker. A loop over `after` kills the worker between
        any two steps of a run.

        Returns how many runs it executed at that moment.
        """
        platform = await self._started()
        if after is not None:
            if after < 1:
                raise InvalidOptions(f"after is {after}; it counts requests from 1.")
            platform.cut_after(after)
            settling = asyncio.ensure_future(self.advance(within))
            cutting = asyncio.ensure_future(platform.cut.wait())
            await asyncio.wait({settling, cutting}, return_when=asyncio.FIRST_COMPLETED)
            settling.cancel()
            cutting.cancel()
            await asyncio.wait({settling, cutting})
        lost = len(platform.held)
        await platform.crash_worker()
        await self.settle()
        return lost

    def triggered(self, task: TaskLike, /, **fields: Any) -> list[Triggered]:
        """Everything that was triggered of a task, with these fields in its payload, in order."""
        return matching(self._triggers, _id(task), fields)

    def assert_triggered(self, task: TaskLike, /, **fields: Any) -> Triggered:
        """Check that a task was triggered with these fields in its payload; returns the last one.

        Raises: AssertionError that says what was triggered instead, and how it differs.
        """
        found = self.triggered(task, **fields)
        if not found:
            raise AssertionError(complaint(self._triggers, _id(task), fields))
        return found[-1]

    async def run(self, run: Handle[Any] | Triggered | str) -> Run:
        """A run with everything that is known of it. Raises: NotFound."""
        if isinstance(run, Handle):
            run = run.id
        elif isinstance(run, Triggered):
            run = run.run_id
        return await self._ask(Retrieve(run), Run)

    async def runs(self, task: TaskLike | None = None) -> list[Run]:
        """All runs, or those of a task, the oldest first."""
        only = () if task is None else (_id(task),)
        found: list[Run] = []
        after: str | None = None
        while True:
            asked = ListRuns(RunFilter(task=only, after=after, limit=100))
            page = await self._ask(asked, RunPage)
            found += [await self.run(run.id) for run in page.runs]
            after = page.next
            if after is None:
                return found[::-1]

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Be where this process's triggers go, inside the block; for fixtures that are not async.

        The engine starts with the first use. It is stopped at the end if its event loop still is
        there, and abandoned otherwise: it has nothing outside of this process.
        """
        before = transport.install(_Later(self._started))
        try:
            yield
        finally:
            self._faults.restore()
            loop = self._loop
            try:
                if loop is not None and not loop.is_closed() and not loop.is_running():
                    loop.run_until_complete(self.stop())
            finally:  # the platform puts back what it found, which is that of the fixture
                transport.install(before)

    async def stop(self) -> None:
        """Stop at once what executes, and forget everything. Safe to call twice."""
        self._faults.restore()
        platform, self._platform = self._platform, None
        if platform is not None:
            await platform.stop()

    async def __aenter__(self) -> Self:
        await self._started()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def _triggers(self) -> list[Triggered]:
        return self._platform.triggers if self._platform is not None else []

    async def _ask(self, request: Request, answer: type[T]) -> T:
        platform = await self._started()
        response = await platform.answer(request, None)
        assert isinstance(response, answer)
        return response

    async def _started(self) -> Platform:
        async with self._starting:
            if self._platform is None:
                platform = Platform(
                    slots=self._slots, clock=self._clock, bits=random.Random(0), loops=False
                )
                await platform.start()
                self._platform = platform
                self._loop = asyncio.get_running_loop()
            return self._platform


class _Later:
    """The transport until the first use, which starts the engine."""

    def __init__(self, started: Callable[[], Awaitable[Platform]]) -> None:
        self.environment = "dev"
        self.loop: asyncio.AbstractEventLoop | None = None
        self._started = started

    async def call(self, request: Request) -> Response:
        return await (await self._started()).answer(request, None)

    async def close(self) -> None:
        """Nothing to give up."""


async def _calm(platform: Platform) -> None:
    """Until engine and code have nothing to do any more at this moment."""
    moves = -1
    while moves != platform.moves:
        moves = platform.moves
        await platform.engine.idle()
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        await platform.engine.idle()


async def _unsettled(platform: Platform, busy: list[str], patience: float) -> str:
    lines = [f"After {patience:g} s of real time these bodies still go on:"]
    for run_id in busy:
        run = await platform.answer(Retrieve(run_id), None)
        assert isinstance(run, Run)
        lines.append(f"  {run.task} ({run_id}), attempt {run.attempt}")
    lines.append(
        "They wait for something outside of the engine, which does not move with `jobs.advance`: "
        "asyncio.sleep, a socket, an event. Let the test end that wait, give `timeout=` more time, "
        "or pass `timeout=0` to go on without them."
    )
    return "\n".join(lines)


def _id(task: TaskLike) -> str:
    if isinstance(task, str):
        return task
    return task.id if isinstance(task, Task) else task._task.id
