"""Executes orders: the user's function in an asyncio task or a thread, and what came of it.

Stopping bodies is `stop`'s business, the meaning of exceptions `outcome`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from mainspring.clock import Clock
from mainspring.sdk import hooks, observe
from mainspring.sdk import logger as sdk_logger
from mainspring.sdk import transport as sdk_transport
from mainspring.sdk.context import Context, running
from mainspring.sdk.registry import Executable
from mainspring.wire.worker import (
    Cancel,
    Execute,
    Fenced,
    Finished,
    FromWorker,
    Refused,
    Revoke,
    Started,
)
from mainspring.worker import report
from mainspring.worker.capture import Capture
from mainspring.worker.gathering import Gathering
from mainspring.worker.outcome import Phase
from mainspring.worker.slots import Held, Slots, Stop
from mainspring.worker.stop import GRACE_S, Stopper
from mainspring.worker.threads import Threads

FINAL: Final = frozenset({"aborted", "invalid_payload", "timed_out"})
"""Outcomes after which there is no further attempt."""

log = logging.getLogger("mainspring.worker")


class Runner:
    """Executes the runs of one session and says what becomes of them.

    All methods belong to the event loop. Messages are collected and given to `send` once in each
    iteration of the loop; a body that ends within one is never reported as started.

    Attributes:
        environment: the slug that contexts show; set when the server has told it.
    """

    def __init__(
        self,
        tasks: dict[str, Executable],
        slots: Slots,
        send: Callable[[list[FromWorker]], None],
        clock: Clock,
        *,
        capture: Capture | None = None,
        claimed: Callable[[Execute], None] = lambda order: None,
    ) -> None:
        """`claimed` is told of each order that is obeyed, as long as somebody observes."""
        self.environment = "dev"
        self.slots = slots
        self._tasks = tasks
        self._send = send
        self._clock = clock
        self._capture = capture
        self._claimed = claimed
        self._loop = asyncio.get_running_loop()
        self._threads = Threads(slots.size)
        self._stopper = Stopper(self._loop, self._threads, self._forced)
        self._out: list[FromWorker] = []
        self._fresh: list[Held] = []
        self._armed = False
        self._base = contextvars.copy_context()
        if capture is not None:
            self._base.run(sdk_logger.sink.set, capture.sink)
        # filled by threads, emptied on the loop
        self._from_threads: list[tuple[Held, Finished | None]] = []
        self._woken = False
        self._emptied = Gathering()

    def provide(self, transport: sdk_transport.Transport) -> None:
        """Let the code of runs reach the engine through this."""
        self._base.run(sdk_transport.active.set, transport)

    def post(self, message: FromWorker) -> None:
        """Send a message at the end of this iteration of the loop."""
        self._out.append(message)
        self.arm()

    def arm(self) -> None:
        """Look at the end of this iteration what is to be sent; after a batch of orders."""
        if not self._armed:
            self._armed = True
            self._loop.call_soon(self._flush)

    def execute(self, order: Execute) -> None:
        """Begin an attempt, unless this claim was seen before or taken back; `arm` afterwards."""
        slots = self.slots
        if not slots.admit(order.run_id, order.epoch):
            return
        older = slots.held.get(order.run_id)
        if older is not None:
            self._silence(older)
        if observe.observers:
            self._claimed(order)
        task = self._tasks.get(order.task)
        if task is None:
            self.post(report.unknown_task(order, self._tasks))
            return
        run = Held(order, task, Context(order, self.environment, payload=task.payload))
        slots.held[order.run_id] = run
        context = self._base.copy()
        context.run(running.set, run.ctx)
        if hooks.has_hooks(task):
            run.work = self._loop.create_task(self._hooked(run), context=context)
        elif task.is_async:
            run.work = self._loop.create_task(self._attempt(run), context=context)
        else:
            self._threads.submit(partial(context.run, self._in_thread, run))
        if order.max_duration_ms is not None:
            left = (order.max_duration_ms - order.active_ms) / 1000
            run.watch(self._loop.call_later(max(left, 0), self._time_out, run))
        self._fresh.append(run)

    def cancel(self, order: Cancel) -> None:
        """End the body; at the latest after the grace time the attempt counts as ended."""
        run = self.slots.of(order.run_id, order.epoch)
        if run is not None and run.stop is None:
            self._stopper.stop(run, Stop.CANCELED, order.grace_ms / 1000)

    def revoke(self, order: Revoke) -> None:
        """Give an attempt back, unless its body has begun."""
        slots, run_id, epoch = self.slots, order.run_id, order.epoch
        run = slots.of(run_id, epoch)
        if run is not None:
            refused = self._stopper.take_back(run)
            if refused:
                self._free(run)
        else:
            # never received, or refused before; else its end is on the way before this answer
            refused = slots.admit(run_id, epoch) or slots.is_refused(run_id, epoch)
        if refused:
            slots.refuse(run_id, epoch)
        self.post(Refused(run_id, epoch, refused))

    def fence(self, order: Fenced) -> None:
        """Stop a body that is not ours any more, without a word."""
        self.slots.admit(order.run_id, order.epoch)
        run = self.slots.of(order.run_id, order.epoch)
        if run is not None:
            self._silence(run)

    def abandon(self) -> None:
        """Stop everything without a word: the session is over."""
        self._out.clear()
        self._fresh.clear()
        for run in list(self.slots.held.values()):
            self._silence(run)

    async def cut_off(self, clean_up_s: float) -> None:
        """Stop what is held without reporting it; returns once its bodies have ended."""
        runs = list(self.slots.held.values())
        for run in runs:
            self._silence(run, clean_up_s)
        await self._stopper.calm()

    async def emptied(self) -> None:
        """Return once no run is held."""
        if self.slots.held:
            await self._emptied.wait()

    async def calm(self) -> None:
        """Return once no body goes on although its attempt is over."""
        await self._stopper.calm()

    @property
    def lingering(self) -> int:
        """Bodies that go on although their attempt is over."""
        return self._stopper.lingering

    def close(self) -> None:
        """Let idle threads end."""
        self._threads.close()

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
            self._end(run, report.failed(run, error, phase, self._active_ms(run)))
        else:
            self._end(run, report.completed(run, output, self._active_ms(run)))

    def _in_thread(self, run: Held) -> None:
        """A `def` without hooks, in a thread of its own from beginning to end."""
        end: Finished | None = None
        try:
            end = self._called(run)
        except asyncio.CancelledError as late:  # it came between the body and here
            self._stopper.leave(run)
            end = report.failed(run, late, Phase.BODY, self._active_ms(run))
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
            return report.failed(run, error, phase, self._active_ms(run))
        self._stopper.leave(run)
        return report.completed(run, output, self._active_ms(run))

    async def _hooked(self, run: Held) -> None:
        """Any task with hooks or middleware: these on the loop, a plain body in a thread."""
        if not self._stopper.begin(run, self._clock.monotonic()):
            self._not_begun(run)
            return
        task, ctx, phase = run.task, run.ctx, Phase.BIND
        value: Any = None
        failure: BaseException | None = None
        try:
            args, kwargs = task.bind_payload(run.order.payload, ctx)
            phase = Phase.BODY
            body = self._threaded if not task.is_async else _awaited
            value = await hooks.run_attempt(task, ctx, partial(body, run, args, kwargs))
            phase = Phase.OUTPUT
            end = report.completed(run, task.encode_output(value), self._active_ms(run))
        except BaseException as error:
            if self._loop.is_closed():
                raise
            failure, end = error, report.failed(run, error, phase, self._active_ms(run))
        try:
            await self._after(run, end, value, failure)
        except BaseException:  # the attempt has its result; hooks cannot change it
            log.warning("hooks of run %s were cut short", ctx.run_id, exc_info=True)
        self._end(run, end)

    async def _after(
        self, run: Held, end: Finished, value: Any, failure: BaseException | None
    ) -> None:
        if run.stop is Stop.SILENT:
            return
        if run.stop is Stop.CANCELED:
            await hooks.after_cancel(run.task, run.ctx)
        elif failure is None and end.outcome == "completed":
            await hooks.after_success(run.task, run.ctx, value)
        elif end.outcome in FINAL or run.order.attempt >= run.order.max_attempts:
            error = failure or TimeoutError(end.error.message if end.error else "")
            await hooks.after_failure(run.task, run.ctx, error)

    async def _threaded(self, run: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a plain function in a thread."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def call() -> None:
            answer: tuple[Any, BaseException | None]
            try:
                self._stopper.enter(run, threading.get_ident())
                answer = run.task.func(*args, **kwargs), None
            except BaseException as error:  # noqa: BLE001 - carried over to the waiting coroutine
                answer = None, error
            self._stopper.leave(run)
            self._on_loop(self._returned, run, future, answer)

        self._threads.submit(partial(contextvars.copy_context().run, call))
        value, error = await future
        if error is not None:
            raise error
        return value

    def _returned(
        self, run: Held, future: asyncio.Future[Any], answer: tuple[Any, BaseException | None]
    ) -> None:
        if not future.done():
            future.set_result(answer)
        self._stopper.returned(run)

    def _active_ms(self, run: Held) -> int:
        return int((self._clock.monotonic() - run.since) * 1000) if run.begun else 0

    def _end(self, run: Held, end: Finished) -> None:
        """The attempt is over: free its slot and say so, unless nothing may be said."""
        if run.over:
            return
        if run.lines is not None and self._capture is not None:
            self._capture.finish(run)
        self._free(run)
        if run.stop is not Stop.SILENT:
            self.post(end)

    def _not_begun(self, run: Held) -> None:
        """A body that was stopped before it began: it ends as what it was stopped for."""
        if run.stop is not Stop.SILENT:
            self._end(
                run, report.failed(run, asyncio.CancelledError(), Phase.BODY, self._active_ms(run))
            )

    def _time_out(self, run: Held) -> None:
        if run.stop is None:
            self._stopper.stop(run, Stop.TIMED_OUT)

    def _silence(self, run: Held, grace_s: float = GRACE_S) -> None:
        self._stopper.stop(run, Stop.SILENT, grace_s)
        self._give_up(run)

    def _forced(self, run: Held) -> None:
        """The grace time is over and the body goes on: report without waiting for it."""
        if run.over:
            return
        log.warning(
            "run %s of task %s did not end when told to; it is given up, its code may go on",
            run.order.run_id,
            run.order.task,
        )
        end = report.failed(run, asyncio.CancelledError(), Phase.BODY, self._active_ms(run))
        self._give_up(run)
        self.post(end)

    def _give_up(self, run: Held) -> None:
        """The attempt is over whether or not its body ends."""
        self._free(run)
        self._stopper.given_up(run)

    def _free(self, run: Held) -> None:
        self.slots.free(run)
        if self._emptied and not self.slots.held:
            self._emptied.release()

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
                self._end(run, end)
            elif not run.over:
                self._not_begun(run)
        self._flush()

    def _flush(self) -> None:
        self._armed = False
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            started = []
            for run in fresh:
                if run.over:
                    continue
                if run.begun:
                    started.append((run.order.run_id, run.order.epoch))
                else:
                    self._fresh.append(run)
                    if run.work is not None:
                        self.arm()  # it is next; a thread wakes us when it begins
            if started:
                self._out.append(Started(started))
        if self._out:
            messages, self._out = self._out, []
            self._send(messages)


async def _awaited(run: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await run.task.func(*args, **kwargs)
