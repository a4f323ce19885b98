"""Obeys the orders of a session and reports what becomes of its runs. Bodies are `execute`'s."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable

from mainspring.clock import Clock
from mainspring.sdk import logger as sdk_logger
from mainspring.sdk import observe
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
from mainspring.worker.execute import Executor, Isolate
from mainspring.worker.gathering import Gathering
from mainspring.worker.outcome import Phase
from mainspring.worker.slots import Held, Slots, Stop
from mainspring.worker.stop import GRACE_S, Stopper
from mainspring.worker.threads import Threads

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
        self._capture = capture
        self._claimed = claimed
        self._loop = asyncio.get_running_loop()
        self._threads = Threads(slots.size)
        self._stopper = Stopper(self._loop, self._threads, self._forced)
        self._executor = Executor(clock, self._threads, self._stopper, self._end, self._flush)
        self._out: list[FromWorker] = []
        self._fresh: list[Held] = []
        self._armed = False
        self._base = contextvars.copy_context()
        if capture is not None:
            self._base.run(sdk_logger.sink.set, capture.sink)
        self._emptied = Gathering()

    def provide(self, transport: sdk_transport.Transport) -> None:
        """Let the code of runs reach the engine through this."""
        self._base.run(sdk_transport.active.set, transport)

    def isolate(self, isolate: Isolate) -> None:
        """Have tasks that want a process of their own executed by this; else they execute here."""
        apart = [name for name, task in self._tasks.items() if task.spec.isolation == "process"]
        self._executor.isolate(isolate, apart)

    def lend_thread(self) -> Callable[[], None]:
        """Have plain functions executed by a thread of the caller's: it calls what is returned."""
        return self._threads.lend()

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
        self._executor.begin(run, context)
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

    def _end(self, run: Held, end: Finished) -> None:
        """The attempt is over: free its slot and say so, unless nothing may be said."""
        if run.over:
            return
        if run.lines is not None and self._capture is not None:
            self._capture.finish(run)
        self._free(run)
        if run.stop is not Stop.SILENT:
            self.post(end)

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
        active_ms = self._executor.active_ms(run)
        end = report.failed(run, asyncio.CancelledError(), Phase.BODY, active_ms)
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
