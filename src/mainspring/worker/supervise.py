"""Keeps child processes at work: starts, restarts, replaces, drains. What runs do is not here."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from mainspring.errors import MainspringError, from_code
from mainspring.worker.channel import (
    ChildConfig,
    Connection,
    Draining,
    Full,
    Opened,
    Problem,
    Ready,
    Refused,
    Report,
)
from mainspring.worker.posts import Posts
from mainspring.worker.process import ChildProcess

FIRST_DELAY_S: Final = 0.1
LAST_DELAY_S: Final = 10.0
SETTLED_S: Final = 10.0
"""A child that lived so long did not die of its start."""
LOOP_AT: Final = 5
MARGIN_S: Final = 15.0
"""What a child needs beyond its drain time to clean up and leave, before it is killed."""
TRIES: Final = 5
FAULTS: Final = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGSYS}
)
"""Signals that a process gets for what it does, not from others."""
CONNECT_S: Final = 10.0
"""How long a fresh child may take to connect before the old one drains all the same."""

Kind = Literal[
    "ready", "import_failed", "connected", "disconnected", "died", "crash_loop", "draining",
    "drained", "full", "reloaded", "kept", "killed", "unreachable",
]  # fmt: skip


class News(Struct, frozen=True):
    """Something to show to people: a word for programs, a sentence, and a traceback if any."""

    kind: Kind
    text: str
    pid: int = 0
    traceback: str = ""
    left: int = 0
    tasks: tuple[str, ...] = ()


class _Seat:
    """One of the processes that are wanted; its child changes."""

    def __init__(self) -> None:
        self.child: ChildProcess | None = None
        self.healthy = False
        self.deaths = 0
        self.up: bool | None = None


class Supervisor:
    """Runs `processes` children from `start` to `drain` or `kill`.

    A child that dies is reported to the server at once, so that its runs start again elsewhere, and
    replaced. `news` is called on the event loop for everything that people may want to see.
    """

    def __init__(
        self,
        config: ChildConfig,
        processes: int = 1,
        news: Callable[[News], None] = lambda news: None,
    ) -> None:
        self._config = config
        self._news = news
        self._seats = [_Seat() for _ in range(processes)]
        self._children: dict[ChildProcess, asyncio.Task[None]] = {}
        self._refills: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def pids(self) -> list[int]:
        """The processes that exist now, those that still drain included."""
        return [child.pid for child in self._children]

    async def start(self) -> None:
        """Start all children, and return once each has imported the tasks and was let go."""
        await asyncio.gather(*(self._fill(seat) for seat in self._seats))

    async def wait(self) -> None:
        """Wait until all has ended after `drain` or `kill`.

        Raises: MainspringError, when the server refuses this worker for good.
        """
        stopping = asyncio.create_task(self._stopping.wait())
        ends: set[asyncio.Future[Any]] = {stopping, self._failure}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if self._failure.done():
            await self.drain()
            self._failure.result()
        await self._all_ended()

    async def drain(self) -> None:
        """Ask all children to finish what they have; kill those that do not in time."""
        self._stopping.set()
        for child in self._children:
            child.drain()
        try:
            async with asyncio.timeout(self._config.drain_s + MARGIN_S):
                await self._all_ended()
        except TimeoutError:
            self.kill()
            await self._all_ended()

    def kill(self) -> None:
        """End all children at once; their runs start again elsewhere."""
        self._stopping.set()
        for child in self._children:
            if not child.ended.done():
                self._tell("killed", f"Worker process {child.pid} was killed.", child)
                child.kill()

    async def replace(self) -> bool:
        """Put fresh children in place of the old ones, which finish what they have.

        When a fresh one cannot import the tasks that the old one could, the old ones stay.
        """
        for seat in self._seats:
            if not await self._exchange(seat):
                self._tell("kept", "The new code cannot be imported; the old one keeps running.")
                return False
        self._tell("reloaded", "Worker reloaded.")
        return True

    async def _exchange(self, seat: _Seat) -> bool:
        """Put a fresh child on a seat, and let the old one drain; False when the old one stays."""
        fresh = await self._started()
        ready = await fresh.ready
        problems = ready is None or bool(ready.problems)
        if ready is None or (problems and seat.healthy):
            fresh.kill()
            return False
        old, seat.child = seat.child, fresh
        seat.healthy, seat.up = not problems, None
        fresh.go()
        await asyncio.wait({fresh.connected}, timeout=CONNECT_S)
        if old is not None:
            old.drain()
        return True

    async def _relieve(self, child: ChildProcess, reason: str) -> None:
        """Replace a child in which too much waits: all of that goes on from its journal."""
        left = child.began + SETTLED_S - time.monotonic()
        if left > 0:
            await self._sleep(left)  # one that is full at once again must not be replaced all day
        seat = next((seat for seat in self._seats if seat.child is child), None)
        if seat is not None and not self._stopping.is_set():
            self._tell("full", f"Worker process {child.pid} is replaced: {reason}.", child)
            await self._exchange(seat)

    async def _fill(self, seat: _Seat) -> None:
        """Put a fresh child on an empty seat."""
        child = seat.child = await self._started()
        seat.up = None
        ready = await child.ready
        seat.healthy = ready is not None and not ready.problems
        child.go()

    async def _started(self) -> ChildProcess:
        child = ChildProcess(self._config, self._heard)
        await child.start()
        self._children[child] = asyncio.create_task(self._watch(child), name=f"watch {child.pid}")
        if self._stopping.is_set():
            child.drain()
        return child

    async def _watch(self, child: ChildProcess) -> None:
        """From the start of a child to its end, and to its successor if it needs one."""
        began = time.monotonic()
        try:
            status = await child.ended
            how = "" if child.asked else _cause(status)
            if how:
                self._config = msgspec.structs.replace(self._config, apart=True)
            await self._report_lost(child, how)
        finally:  # whatever failed, who waits for all ends must not wait for this one for ever
            del self._children[child]
        seat = next((seat for seat in self._seats if seat.child is child), None)
        if child.refused is not None and not self._failure.done():
            self._failure.set_exception(from_code(child.refused.code, child.refused.reason))
            return
        if self._stopping.is_set() or seat is None or self._failure.done():
            self._tell("drained", f"Worker process {child.pid} has ended.", child)
            return
        seat.deaths = 1 if time.monotonic() - began > SETTLED_S else seat.deaths + 1
        delay = min(FIRST_DELAY_S * 2 ** (seat.deaths - 1), LAST_DELAY_S)
        self._tell("died", f"Worker process {child.pid} {_how(status)}; another one starts.", child)
        if seat.deaths == LOOP_AT:
            self._tell(
                "crash_loop",
                f"{LOOP_AT} worker processes in a row died soon after their start, the last one "
                f"{_how(status)}. Look above for what they printed; they are started again every "
                f"{LAST_DELAY_S:g} s at most.",
                child,
            )
        self._beside(self._refill(seat, delay))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="refill")
        self._refills.add(task)
        task.add_done_callback(self._refills.discard)

    async def _refill(self, seat: _Seat, delay: float) -> None:
        await self._sleep(delay)
        if not self._stopping.is_set():
            await self._fill(seat)

    async def _report_lost(self, child: ChildProcess, how: str) -> None:
        """Tell the server that the process is dead; otherwise it waits for the lease to run out."""
        for session_id in child.session_ids[-1:]:
            for attempt in range(TRIES):
                try:
                    await asyncio.to_thread(_post_lost, self._config, session_id, how)
                    break
                except MainspringError as error:
                    if attempt == TRIES - 1:
                        self._tell("unreachable", error.message, child)
                    await self._sleep(FIRST_DELAY_S * 2**attempt)

    def _heard(self, child: ChildProcess, report: Report) -> None:
        match report:
            case Ready():
                for problem in report.problems:
                    self._show(problem, child)
                text = f"Worker process {child.pid} has {len(report.tasks)} tasks."
                self._news(News("ready", text, child.pid, tasks=report.tasks))
            case Connection():
                self._connection(child, report)
            case Draining():
                if report.left:
                    text = f"Worker process {child.pid} waits for {report.left} runs to end."
                    self._news(News("draining", text, child.pid, left=report.left))
            case Full():
                self._beside(self._relieve(child, report.reason))
            case Opened() | Refused():
                return  # the child keeps these itself

    def _connection(self, child: ChildProcess, report: Connection) -> None:
        """Only changes are news: a server that is away is told once."""
        seat = next((seat for seat in self._seats if seat.child is child), None)
        if seat is None or seat.up is report.up:
            return
        seat.up = report.up
        if report.up:
            self._tell("connected", f"Worker process {child.pid} is connected.", child)
        else:
            self._tell(
                "disconnected",
                f"Worker process {child.pid} is not connected to {self._config.url} and tries "
                f"again: {report.reason}.",
                child,
            )

    def _show(self, problem: Problem, child: ChildProcess) -> None:
        text = f"{problem.message} [{problem.code}]"
        self._news(News("import_failed", text, child.pid, problem.traceback))

    def _tell(self, kind: Kind, text: str, child: ChildProcess | None = None) -> None:
        self._news(News(kind, text, child.pid if child is not None else 0))

    async def _all_ended(self) -> None:
        while self._children or self._refills:
            await asyncio.wait({*self._children.values(), *self._refills})

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not beyond the moment when all is to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _post_lost(config: ChildConfig, session_id: str, how: str) -> None:
    posts = Posts(config.url, config.key, environment=config.environment)
    try:
        posts.lost(session_id, how)
    finally:
        posts.close()


def _cause(status: int) -> str:
    """How a process died that nobody here has told to end, as `wire.beats.Named` tells it."""
    if -status == signal.SIGKILL:
        return "killed"  # by a person, or by a kernel without memory, whoever took that
    return "crashed" if status > 0 or -status in FAULTS else ""


def _how(status: int) -> str:
    """How a process ended, for people."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
