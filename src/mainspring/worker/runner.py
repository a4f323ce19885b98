"""Obeys the orders of a session and reports what becomes of its runs. Bodies are `execute`'s."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable

from mainspring.clock import Clock
from mainspring.sdk import (
    logger as sdk_logger,
    meter as sdk_meter,
    observe,
    tracer as sdk_tracer,
    transport as sdk_transport,
)
from mainspring.sdk.context import Context, running
from mainspring.sdk.registry import Executable
from mainspring.wire.worker import (
    Cancel,
    Execute,
    Fenced,
    Finished,
    FromWorker,
    Refused,
    Resume,
    Revoke,
    Started,
)
from mainspring.worker import report
from mainspring.worker.capture import Capture
from mainspring.worker.durable import Durable
from mainspring.worker.execute import Executor, Isolate
from mainspring.worker.gathering import Gathering
from mainspring.worker.journals import Ask, Journals
from mainspring.worker.outcome import Phase
from mainspring.worker.park import Parking
from mainspring.worker.slots import Held, Slots, Stop
from mainspring.worker.stop import GRACE_S, Stopper
from mainspring.worker.telling import Telling
from mainspring.worker.threads import Threads

log = logging.getLogger("mainspring.worker")


class Runner:
    """Executes the runs of one session and says what becomes of them.

    All methods belong to the event loop. Messages are collected and given to `send` once in each
    iteration of the loop; a body that ends within one is never reported as started.

    Attributes:
        environment: the slug that contexts show; set when the server has told it.
        threads: where plain functions are executed.
        parking: the runs that wait without a slot.
        journals: through which runs with a journal speak.
        telling: what runs measure, and the spans they make.
        stirred: called after each change of how many runs are parked.
        isolates: whether any run can be given a process of its own.
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
        self.loop = asyncio.get_running_loop()
        self._tasks = tasks
        self._send = send
        self._capture = capture
        self._claimed = claimed
        self.threads = Threads(slots.size)
        self._stopper = Stopper(self.loop, self.threads, self._forced)
        self._executor = Executor(clock, self.threads, self._stopper, self._end, self._flush)
        self.journals = Journals(slots, tasks, clock, self.post, self.arm, lambda: len(self._out))
        self.parking = Parking(
            slots, self.threads, self.journals, clock, self._context, self._count_down
        )
        self.parking.stirred = self._parked
        self.journals.waits = self.parking.look
        self._open_journal = self.journals.open  # made once, not for each run
        self._out: list[FromWorker] = []
        self._fresh: list[Held] = []
        self._armed = False
        self._base = contextvars.copy_context()
        if capture is not None:
            self._base.run(sdk_logger.sink.set, capture.sink)
        self.isolates = False
        self.telling = Telling(slots, self.post)
        self._base.run(sdk_meter.sink.set, self.telling.measure)
        self._base.run(sdk_tracer.sink.set, self.telling.span)
        self._emptied = Gathering()
        self.stirred: Callable[[], None] = lambda: None

    def provide(self, transport: sdk_transport.Transport, ask: Ask) -> None:
        """Let the code of runs reach the engine through this."""
        self._base.run(sdk_transport.active.set, transport)
        self.journals.transport = ask

    def isolate(self, isolate: Isolate, *, any_run: bool) -> None:
        """Have tasks that want a process of their own executed by this, and `any_run` that is to be
        apart; else they execute here.
        """
        self.isolates = any_run
        apart = [name for name, task in self._tasks.items() if task.spec.isolation == "process"]
        self._executor.isolate(isolate, apart, any_run)

    def post(self, message: FromWorker) -> None:
        """Send a message at the end of this iteration of the loop."""
        self._out.append(message)
        self.arm()

    def arm(self) -> None:
        """Look at the end of this iteration what is to be sent; after a batch of orders."""
        if not self._armed:
            self._armed = True
            self.loop.call_soon(self._flush)

    def execute(self, order: Execute) -> None:
        """Begin an attempt, unless this claim was seen before or taken back; `arm` afterwards."""
        slots = self.slots
        if not slots.admit(order.run_id, order.epoch):
            return
        older = slots.held.get(order.run_id)
        if older is not None:
            self._silence(older)
        elif slots.parked and (parked := slots.parked.get(order.run_id)) is not None:
            self.parking.bury(parked)
        if observe.observers:
            self._claimed(order)
        task = self._tasks.get(order.task)
        if task is None:
            self.post(report.unknown_task(order, self._tasks))
            return
        run = Held(order, task, Context(order, self.environment, payload=task.payload))
        run.ctx.open_journal = self._open_journal
        slots.held[order.run_id] = run
        context = self._base.copy()
        context.run(running.set, run.ctx)
        self._executor.begin(run, context)
        if order.max_duration_ms is not None:
            left = (order.max_duration_ms - order.active_ms) / 1000
            run.budget = self.loop.call_later(max(left, 0), self._time_out, run)
        self._fresh.append(run)

    def resume(self, order: Resume) -> None:
        """Let a parked run go on; `arm` afterwards."""
        run = self.parking.resume(order)
        if run is not None:
            self._fresh.append(run)

    def cancel(self, order: Cancel) -> None:
        """End the body, also a parked one; after the grace time the attempt counts as ended."""
        run = self.slots.of(order.run_id, order.epoch)
        if run is not None and run.stop is None:
            self.parking.wake(run)
            self._stopper.stop(run, Stop.CANCELED, order.grace_ms / 1000)
            if run.thread is not None and run.port is not None:
                run.port.stop_waiting()  # a thread cannot be interrupted in there

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
        """Stop a body that is not ours any more, without a word; a parked one never goes on."""
        slots = self.slots
        slots.admit(order.run_id, order.epoch)
        run = slots.of(order.run_id, order.epoch)
        if run is not None and order.run_id in slots.parked:
            self.parking.bury(run)
        elif run is not None:
            self._silence(run)

    def abandon(self) -> None:
        """Stop everything without a word: the session is over."""
        self._out.clear()
        self._fresh.clear()
        for run in list(self.slots.parked.values()):
            self.parking.bury(run)
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
        self.threads.close()

    def _context(self, run: Held) -> contextvars.Context:
        """Where code of the run belongs that it has not called itself."""
        context = self._base.copy()
        context.run(running.set, run.ctx)
        return context

    def _end(self, run: Held, end: Finished) -> None:
        """The attempt is over: free its slot and say so, unless nothing may be said."""
        if run.over:
            return
        if run.port is not None:
            self._settle(run, run.port, end)
        if run.lines is not None and self._capture is not None:
            self._capture.finish(run)
        self.telling.finish(run)
        self._free(run)
        if run.stop is not Stop.SILENT:
            self.post(end)

    def _settle(self, run: Held, port: Durable, end: Finished) -> None:
        """The code of a run with a journal has ended."""
        port.stop_waiting()
        port.pour()
        journal = run.ctx.opened
        removed = journal.unread() if journal is not None and end.outcome == "completed" else []
        if removed and self._capture is not None:
            self._capture.warn(run, report.removed_steps(removed))

    def _count_down(self, run: Held) -> None:
        """Watch what is left of its max_duration."""
        left = run.ctx.remaining()
        if left is not None:
            run.budget = self.loop.call_later(left, self._time_out, run)

    def _time_out(self, run: Held) -> None:
        if run.stop is None:
            self._stopper.stop(run, Stop.TIMED_OUT)
            if run.thread is not None and run.port is not None:
                run.port.stop_waiting()

    def _silence(self, run: Held, grace_s: float = GRACE_S) -> None:
        self._stopper.stop(run, Stop.SILENT, grace_s)
        if run.port is not None:
            run.port.close()
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
        if run.port is not None:
            run.port.pour()
        self._give_up(run)
        self.post(end)

    def _give_up(self, run: Held) -> None:
        """The attempt is over whether or not its body ends."""
        self._free(run)
        self._stopper.given_up(run)

    def _free(self, run: Held) -> None:
        self.slots.free(run)
        self._maybe_emptied()

    def _parked(self) -> None:
        self._maybe_emptied()
        self.stirred()

    def _maybe_emptied(self) -> None:
        if self._emptied and not self.slots.held:
            self._emptied.release()

    def _flush(self) -> None:
        self._armed = False
        self.parking.decide()
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            started = []
            for run in fresh:
                if run.over or (run.port is not None and run.port.parked):
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
