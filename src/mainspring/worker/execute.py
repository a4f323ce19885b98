"""How bodies are executed: in an asyncio task, in a thread, or between hooks. What is sent is not
decided here; the meaning of exceptions is `outcome`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, Final

from mainspring.clock import Clock
from mainspring.sdk import hooks
from mainspring.sdk.policy import resolve_error
from mainspring.wire.worker import Finished
from mainspring.worker import report
from mainspring.worker.outcome import Phase
from mainspring.worker.slots import Held, Stop
from mainspring.worker.stop import Stopper
from mainspring.worker.threads import Threads

UNSETTLED: Final = frozenset({"continued", "diverged"})
"""Outcomes after which the run goes on, or waits for somebody to decide."""

Isolate = Callable[[Held], Awaitable[Finished]]
"""Executes an attempt, hooks included, in a process of its own, and answers how it ended.

It is canceled once when the attempt must stop (`Held.stop` says why; its end is still waited for),
and once more when that took too long: then the process has to be gone at once.
"""

# not by the loop: its task factory looks for the run that makes a task, and none makes this one
_Task: Final = asyncio.Task

log = logging.getLogger("mainspring.worker")


class Executor:
    """Enters bodies and says how they ended.

    Both callbacks are called on the event loop.

    Args:
        ended: how an attempt ended; not called for one that was stopped before it began silently.
        stirred: called when threads have begun or ended bodies.
    """

    def __init__(
        self,
        clock: Clock,
        threads: Threads,
        stopper: Stopper,
        ended: Callable[[Held, Finished], None],
        stirred: Callable[[], None],
    ) -> None:
        self._isolate: Isolate | None = None
        self._apart: frozenset[str] = frozenset()
        self._any = False
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._threads = threads
        self._stopper = stopper
        self._ended = ended
        self._stirred = stirred
        # filled by threads, emptied on the loop
        self._from_threads: list[tuple[Held, Finished | None]] = []
        self._woken = False

    def isolate(self, isolate: Isolate, tasks: Collection[str], any_run: bool) -> None:
        """Have attempts of these tasks, or `any_run` that is to be apart, executed by `isolate`."""
        self._isolate, self._apart, self._any = isolate, frozenset(tasks), any_run

    def begin(self, run: Held, context: contextvars.Context) -> None:
        """Have the body entered soon, in this context."""
        if (self._apart and run.order.task in self._apart) or (self._any and run.order.apart):
            run.apart = True
            run.work = _Task(self._isolated(run), loop=self._loop, context=context)
        elif hooks.has_hooks(run.task):
            run.work = _Task(self._hooked(run), loop=self._loop, context=context)
        elif run.task.is_async:
            run.work = _Task(self._attempt(run), loop=self._loop, context=context)
        else:
            self._threads.submit(partial(context.run, self._in_thread, run))

    def active_ms(self, run: Held) -> int:
        """How long the body has run since it was claimed, without the time that it was parked."""
        if not run.begun:
            return 0
        seconds = self._clock.monotonic() - run.since
        if run.port is not None:
            seconds = run.port.spent + (0 if run.port.parked else seconds)
        return int(seconds * 1000)

    async def _attempt(self, run: Held) -> None:
        """An `async def` without hooks: the shortest way."""
        if not self._stopper.begin(run, self._clock.monotonic()):
            self._not_begun(run)
            return
        task, phase = run.task, Phase.BIND
        try:
            args, kwargs = task.bind_payload(run.order.payload, run.ctx)
            phase = Phase.BODY
            value = await task.func(*args, **kwargs)
            phase = Phase.OUTPUT
            output = task.encode_output(value)
        except BaseException as error:
            if self._loop.is_closed():
                raise  # nobody is there to be told
            self._ended(run, report.failed(run, error, phase, self.active_ms(run)))
        else:
            self._ended(run, report.completed(run, output, self.active_ms(run)))

    async def _isolated(self, run: Held) -> None:
        """Any task in a process of its own."""
        assert self._isolate is not None
        if not self._stopper.begin(run, self._clock.monotonic()):
            self._not_begun(run)
            return
        try:
            end = await self._isolate(run)
        except BaseException as error:
            if self._loop.is_closed():
                raise
            end = report.failed(run, error, Phase.BODY, self.active_ms(run))
        self._ended(run, end)

    def _in_thread(self, run: Held) -> None:
        """A `def` without hooks, in a thread of its own from beginning to end."""
        end: Finished | None = None
        try:
            end = self._called(run)
        except asyncio.CancelledError as late:  # it came between the body and here
            self._stopper.leave(run)
            end = report.failed(run, late, Phase.BODY, self.active_ms(run))
        self._from_threads.append((run, end))
        self._wake()

    def _called(self, run: Held) -> Finished | None:
        if not self._stopper.begin(run, self._clock.monotonic(), threading.get_ident()):
            return None
        self._wake()
        task, phase = run.task, Phase.BIND
        try:
            args, kwargs = task.bind_payload(run.order.payload, run.ctx)
            phase = Phase.BODY
            value = task.func(*args, **kwargs)
            phase = Phase.OUTPUT
            output = task.encode_output(value)
        except BaseException as error:  # noqa: BLE001 - the executor: whatever the user's code raises
            self._stopper.leave(run)
            return report.failed(run, error, phase, self.active_ms(run))
        self._stopper.leave(run)
        return report.completed(run, output, self.active_ms(run))

    async def _hooked(self, run: Held) -> None:
        """Any task with hooks or middleware: these on the loop, a plain body in a thread."""
        if not self._stopper.begin(run, self._clock.monotonic()):
            self._not_begun(run)
            return
        task, ctx, phase = run.task, run.ctx, Phase.BIND
        value: Any = None
        try:
            args, kwargs = task.bind_payload(run.order.payload, ctx)
            phase = Phase.BODY
            body = self._threaded if not task.is_async else _awaited
            value = await hooks.run_attempt(task, ctx, partial(body, run, args, kwargs))
            phase = Phase.OUTPUT
            end = report.completed(run, task.encode_output(value), self.active_ms(run))
        except BaseException as error:
            if self._loop.is_closed():
                raise
            if phase is Phase.BODY and run.stop is None:
                error = await self._judged(run, error)
            end = report.failed(run, error, phase, self.active_ms(run))
        try:
            await self._after(run, end, value)
        except BaseException:  # the attempt has its result; hooks cannot change it
            log.warning("hooks of run %s were cut short", ctx.run_id, exc_info=True)
        self._ended(run, end)

    async def _judged(self, run: Held, error: BaseException) -> BaseException:
        """The error that the attempt ends with, by the task's own policy."""
        try:
            return await resolve_error(run.task, run.ctx, error)
        except asyncio.CancelledError:
            if run.stop is None:
                raise
            return error  # it was stopped meanwhile

    async def _after(self, run: Held, end: Finished, value: Any) -> None:
        """The hooks after a good end or a cancel; those after a bad one are a run of their own."""
        if run.stop is Stop.SILENT or end.outcome in UNSETTLED:
            return
        if run.stop is Stop.CANCELED:
            await hooks.after_cancel(run.task, run.ctx)
        elif end.outcome == "completed":
            await hooks.after_success(run.task, run.ctx, value)

    async def _threaded(self, run: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a plain function in a thread."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def call() -> None:
            answer: tuple[Any, BaseException | None]
            try:
                self._stopper.enter(run, threading.get_ident())
                if run.ctx.opened is not None:
                    run.ctx.opened.thread = run.thread
                answer = run.task.func(*args, **kwargs), None
            except BaseException as error:  # noqa: BLE001 - carried over to the waiting coroutine
                answer = None, error
            self._stopper.leave(run)
            self._on_loop(self._returned, run, future, answer)

        journal = run.ctx.opened
        if journal is not None and run.work is not None:
            journal.branches.discard(run.work)  # the thread stands for it
        self._threads.submit(partial(contextvars.copy_context().run, call))
        try:
            value, error = await future
        finally:
            journal = run.ctx.opened
            if journal is not None and run.work is not None:
                journal.thread = None
                journal.branches.add(run.work)
        if error is not None:
            raise error
        return value

    def _returned(
        self, run: Held, future: asyncio.Future[Any], answer: tuple[Any, BaseException | None]
    ) -> None:
        if not future.done():
            future.set_result(answer)
        self._stopper.returned(run)

    def _not_begun(self, run: Held) -> None:
        """A body that was stopped before it began: it ends as what it was stopped for."""
        if run.stop is not Stop.SILENT:
            end = report.failed(run, asyncio.CancelledError(), Phase.BODY, self.active_ms(run))
            self._ended(run, end)

    def _wake(self) -> None:
        """Have the loop look at what threads have done; from any thread."""
        if not self._woken:
            self._woken = True
            self._on_loop(self._collect)

    def _on_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call on the event loop, from any thread; not at all when a body has outlived the loop."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _collect(self) -> None:
        self._woken = False
        ended, self._from_threads = self._from_threads, []
        for run, end in ended:
            self._stopper.returned(run)
            if end is not None:
                self._ended(run, end)
            elif not run.over:
                self._not_begun(run)
        self._stirred()


async def _awaited(run: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await run.task.func(*args, **kwargs)
