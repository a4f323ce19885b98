"""Simulated time and processes: every process is a node with an event loop of its own, and one seed
orders everything. A node can stand still or die at any moment. No engine here.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
import zlib
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

BEGAN_MS: Final = 1_700_000_000_000
LIVELOCK: Final = 300_000
"""Callbacks at one moment of simulated time, after which nothing else will ever happen."""


class Violation(AssertionError):
    """A promise was broken."""


class Handle:
    """A callback of one node, at once or at a moment."""

    __slots__ = ("args", "callback", "canceled", "context", "node", "when_due")

    def __init__(
        self,
        node: Node,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        self.node = node
        self.when_due = when
        self.callback = callback
        self.args = args
        self.context = context if context is not None else contextvars.copy_context()
        self.canceled = False

    def cancel(self) -> None:
        self.canceled = True

    def cancelled(self) -> bool:
        return self.canceled

    def when(self) -> float:
        return self.when_due


class World:
    """Simulated time, what is due, and the seed's randomness.

    Attributes:
        now: seconds since the beginning.
        wall_shift_ms: how far the wall clock was set forward; `back_ms`: and back.
        latest_ms: the latest time that it has shown.
        node: the process whose code is executing; None between them.
        trace: what happened, for people; the last lines are shown with a violation.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = 0.0
        self.wall_shift_ms = 0
        self.back_ms = 0
        self.latest_ms = 0
        self.node: Node | None = None
        self.nodes: list[Node] = []
        self.steps = 0
        self.trace: deque[str] = deque(maxlen=4_000)
        self.failure: Violation | None = None
        self.digest = 0
        self._due: list[tuple[float, int, Callable[[], None] | Handle]] = []
        self._ready: deque[Handle] = deque()
        self._count = 0

    def wall_ms(self) -> int:
        """The wall clock, epoch ms."""
        now = self.passed_ms() - self.back_ms
        self.latest_ms = max(self.latest_ms, now)
        return now

    def passed_ms(self) -> int:
        """The same as if it had never been set back: no delay ends before it has passed here."""
        return BEGAN_MS + self.wall_shift_ms + int(self.now * 1000)

    def at(self, when: float, deed: Callable[[], None]) -> None:
        """Have something happen at a moment that is no process's: on the wire, in the database."""
        self._count += 1
        heapq.heappush(self._due, (when, self._count, deed))

    def after(self, delay: float, deed: Callable[[], None]) -> None:
        """The same, counted from now."""
        self.at(self.now + delay, deed)

    def note(self, *words: object) -> None:
        """Write down what happens."""
        line = " ".join(map(str, words))
        self.digest = zlib.crc32(line.encode(), self.digest)
        self.trace.append(f"{self.now:9.3f} {line}")

    def fail(self, message: str) -> None:
        """A promise was broken; the first one counts."""
        if self.failure is None:
            self.note("VIOLATION", message)
            self.failure = Violation(message)

    def run_until(self, moment: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Let happen what is due until then. Raises: Violation."""
        due, busy, began = self._due, 0, self.now
        while self.failure is None:
            if self._ready:
                self._perform(self._ready.popleft())
                busy += 1
                if busy > LIVELOCK and self.now == began:
                    self.fail(f"livelock: {LIVELOCK:,} callbacks at one moment")
            elif due and due[0][0] <= moment:
                when, count, deed = heapq.heappop(due)
                if when > self.now:
                    if stop():
                        heapq.heappush(due, (when, count, deed))
                        break
                    self.now = began = when
                    busy = 0
                if isinstance(deed, Handle):
                    self._perform(deed)
                else:
                    deed()
            else:
                self.now = moment
                break
        if self.failure is not None:
            raise self.failure

    def later(self, handle: Handle) -> None:
        """Have a callback of a node called when it is due."""
        self._count += 1
        heapq.heappush(self._due, (handle.when_due, self._count, handle))

    def _perform(self, handle: Handle) -> None:
        if handle.canceled:
            return
        node = handle.node
        if node.dead:
            return
        if node.frozen:
            node.stalled.append(handle)
            return
        self.steps += 1
        if self.node is not node:
            self.node = node
            events._set_running_loop(node.loop)
        try:
            handle.context.run(handle.callback, *handle.args)
        except Exception as error:  # noqa: BLE001 - as any event loop: a callback ends none
            node.loop.call_exception_handler({"message": "callback", "exception": error})

    def leave(self) -> None:
        """No process executes any more."""
        self.node = None
        events._set_running_loop(None)

    def thaw(self, node: Node) -> None:
        """Let a process go on that stood still; it catches up with what was due meanwhile."""
        if node.frozen and self.now >= node.frozen_until:
            node.frozen = False
            self._ready.extend(node.stalled)
            node.stalled.clear()


class Node:
    """A simulated process. `ledger`: where code that it executes writes down what it does."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.frozen = False
        self.frozen_until = 0.0
        self.stalled: list[Handle] = []
        self.ledger: Any = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.loop: Loop = Loop(self)  # type: ignore[abstract]
        self.clock = Clock(world, -100.0 * len(world.nodes))
        world.nodes.append(self)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin something in this process, at this moment."""
        self.spawn(work)  # type: ignore[unused-awaitable]

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """The same, as a task."""
        task: asyncio.Task[Any] = asyncio.Task(work, loop=self.loop)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def call(self, deed: Callable[..., object], *args: Any) -> None:
        """Have this process do something, at this moment or when it goes on, if it lives."""
        if not self.dead:
            self.loop.call_soon(deed, *args)

    def kill(self) -> None:
        """End at once, with everything in memory."""
        self.dead = True
        self.stalled.clear()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.loop.call_exception_handler({"message": f"{task!r}", "exception": error})


class Loop(asyncio.AbstractEventLoop):
    """The event loop of one node: simulated time, nothing but timers and callbacks."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._world = node.world
        self._factory: Any = None

    def time(self) -> float:
        return self._world.now

    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        handle = Handle(self.node, 0.0, callback, args, context)
        self._world._ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        return self.call_at(self._world.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        handle = Handle(self.node, max(when, self._world.now), callback, args, context)
        self._world.later(handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        if self._factory is not None:
            made: asyncio.Task[Any] = self._factory(self, coro, **options)
            return made
        return asyncio.Task(coro, loop=self, **options)

    def set_task_factory(self, factory: Any) -> None:
        self._factory = factory

    def get_task_factory(self) -> Any:
        return self._factory

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.node.dead

    def is_closed(self) -> bool:
        return self.node.dead

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if "future" in context and "never retrieved" in context["message"]:
            self._world.note(self.node.name, f"nobody looked at {error!r}")
            return
        who = context.get("task") or context.get("future") or context.get("handle")
        self._world.fail(f"{self.node.name}: {context.get('message')}: {error!r} {who!r}")


class Clock:
    """The clocks of a simulated machine: all agree on the wall, and each has begun by itself."""

    def __init__(self, world: World, began: float) -> None:
        self._world = world
        self._began = began

    def now(self) -> int:
        return self._world.wall_ms()

    def monotonic(self) -> float:
        return self._world.now - self._began
