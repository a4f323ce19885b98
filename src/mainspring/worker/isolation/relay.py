"""One run in a process of its own, as its worker sees it: passes on what both say, and ends it.

The process believes that this worker is its server. Decisions about the run are the session's.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Final, Protocol

import msgspec

from mainspring.errors import MainspringError
from mainspring.model.machine import Limits
from mainspring.wire.calls import Fault
from mainspring.wire.worker import (
    Ack,
    Answer,
    Call,
    Cancel,
    Finished,
    Frame,
    FromWorker,
    Logs,
    Park,
    Resolved,
    Resume,
    Started,
    ToWorker,
    Welcome,
)
from mainspring.worker import report
from mainspring.worker.capture import Capture
from mainspring.worker.isolation import crash
from mainspring.worker.isolation.control import Gone
from mainspring.worker.isolation.forks import Process
from mainspring.worker.isolation.output import Output
from mainspring.worker.isolation.pipe import UNNUMBERED, WorkerEnd
from mainspring.worker.outcome import Phase
from mainspring.worker.slots import Held, Stop

CLEAN_UP_S: Final = 8.0
"""How long a body whose time is over may clean up; a `def` sees `ctx.canceled` for 5 s of that."""
FENCED_S: Final = 2.0
"""The same for a run that is not ours any more: less than a lapsed lease leaves us."""
LEAVE_S: Final = 1.0
"""How long a process may take to end once its run has ended."""


class House(Protocol):
    """What a relay needs of the session that it belongs to."""

    @property
    def environment(self) -> str: ...
    @property
    def capture(self) -> Capture | None: ...
    @property
    def clean_up_s(self) -> float: ...

    def post(self, message: FromWorker) -> None:
        """Send a message in the name of the session."""
        ...

    async def forward(self, call: Call) -> Answer:
        """Ask the engine. Raises: MainspringError."""
        ...

    def durable(self) -> asyncio.Future[None]:
        """Answered once everything that was posted is durable."""
        ...

    def park(self, run: Held, keys: list[str]) -> None:
        """The code of the run waits in its process; its slot may go."""
        ...


class Relay:
    """From `start` to `end`, which is answered with how the attempt ended."""

    def __init__(self, run: Held, process: Process, limits: Limits, house: House) -> None:
        self._loop = asyncio.get_running_loop()
        self.end: asyncio.Future[Finished] = self._loop.create_future()
        self._run = run
        self._process = process
        self._limits = limits
        self._house = house
        self._link = WorkerEnd(self._frame, self._conclude)
        self._out = Output(process.out, "info", self._said)
        self._err = Output(process.err, "warning", self._said)
        self._began = self._loop.time()
        self._asking: set[asyncio.Task[None]] = set()
        self._over: set[str] = set()
        self._stopped = False
        self._killing: asyncio.TimerHandle | None = None
        self._gone: Gone | None = None
        process.gone.add_done_callback(self._ended)

    async def start(self) -> None:
        """Give the process its order."""
        self._out.start()
        self._err.start()
        await self._link.open(self._process.link)
        self.tell([Welcome(self._house.environment, 0.0), self._run.order])

    def tell(self, orders: list[ToWorker]) -> None:
        """Pass on orders for this run."""
        for order in orders:
            if isinstance(order, Resolved | Resume):
                self._over.update(entry.key for entry in order.entries)
        self._link.send(orders)

    def stop(self) -> None:
        """Have the body end, as `Held.stop` of the run says; when called again, the process."""
        if self._stopped:
            self.kill()
            return
        self._stopped = True
        order, why = self._run.order, self._run.stop
        grace_s = self._run.grace_s
        if why is Stop.TIMED_OUT:
            grace_s = self._house.clean_up_s
        elif why is Stop.SILENT:
            grace_s = min(grace_s, FENCED_S)
        self.tell([Cancel(order.run_id, order.epoch, int(grace_s * 1000))])
        if why is not Stop.CANCELED:  # else the session counts, and calls again
            self._kill_in(grace_s)

    def kill(self) -> None:
        """End the process and everything that it has started, at once."""
        self._process.kill()

    def _frame(self, frame: Frame) -> None:
        """Something that the process says. Only its end counts once the run is not ours."""
        silent = self._run.stop is Stop.SILENT
        posted = False
        for message in frame.messages:
            if isinstance(message, Finished):
                self._finished(message)
            elif not silent and not self.end.done():
                posted = self._passed_on(message) or posted
        if frame.number == UNNUMBERED or silent:
            return
        if posted:
            self._house.durable().add_done_callback(partial(self._durable, frame.number))
        else:
            self.tell([Ack(frame.number)])

    def _passed_on(self, message: FromWorker) -> bool:
        """Pass a message on; whether the process has to know when it is durable."""
        if isinstance(message, Started):
            return False  # we have said so ourselves
        if isinstance(message, Call):
            asking = self._loop.create_task(self._ask(message))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
            return False
        if isinstance(message, Logs):
            self._house.post(message)
            self._echo([(line.level, line.message, line.data) for line in message.lines])
            return False
        if isinstance(message, Park):
            if not self._over.isdisjoint(message.keys):
                return False  # it goes on as soon as it hears what we have told it
            self._house.park(self._run, message.keys)
        else:
            self._house.post(message)
        return True

    def _durable(self, number: int, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.tell([Ack(number)])

    async def _ask(self, call: Call) -> None:
        try:
            answer = await self._house.forward(call)
        except MainspringError as error:
            fault = msgspec.msgpack.encode(Fault(error.code, error.message))
            answer = Answer(call.call_id, False, msgspec.Raw(fault))
        self.tell([answer])

    def _said(self, level: str, text: str) -> None:
        """Text past Python's own `print` and `logging`: of libraries, of other programs."""
        capture = self._house.capture
        if capture is not None and not self._run.over:
            capture.feed(self._run, level, text)
            self._echo([(level, text.removesuffix("\n"), None)])

    def _echo(self, lines: list[tuple[str, str, str | None]]) -> None:
        capture = self._house.capture
        if capture is not None and capture.echo:
            for level, text, data in lines:
                stream = sys.__stdout__ if level == "info" else sys.__stderr__
                if stream is not None:
                    stream.write(f"{text}\n" if data is None else f"{text} {data}\n")

    def _finished(self, end: Finished) -> None:
        """The body has ended; the process is not needed any more."""
        if self.end.done():
            return
        run, error = self._run, end.error
        if run.stop is Stop.TIMED_OUT:
            end = report.timed_out(run, end.active_ms)
        elif error is not None and error.name == "MemoryError" and self._limits.memory is not None:
            error = crash.out_of_memory(self._limits, error.stack)
            end = Finished(end.run_id, end.epoch, "crashed", error=error, active_ms=end.active_ms)
        self._out.read()
        self._err.read()
        self.end.set_result(end)
        self._link.close()
        self._kill_in(LEAVE_S)

    def _kill_in(self, seconds: float) -> None:
        if self._killing is not None:
            self._killing.cancel()
        self._killing = self._loop.call_later(seconds, self.kill)

    def _ended(self, future: asyncio.Future[Gone]) -> None:
        """The process has ended. What it said last may still have to be read."""
        if self._killing is not None:
            self._killing.cancel()
        self._gone = future.result()
        if self._gone.problem:
            self._link.close()
        if self._link.closed:
            self._conclude()
        else:
            # a process that it left behind may hold the link, until it is found and ended
            self._loop.call_later(LEAVE_S, self._conclude)

    def _conclude(self) -> None:
        """Both the process and its link have ended: after its task, or instead of it."""
        if self._gone is None or self._out.closed:
            return
        self._link.close()
        self._out.close()
        self._err.close()
        if not self.end.done():
            self.end.set_result(self._died(self._gone))

    def _died(self, gone: Gone) -> Finished:
        run, active_ms = self._run, int((self._loop.time() - self._began) * 1000)
        if run.stop is not None:
            return report.failed(run, asyncio.CancelledError(), Phase.BODY, active_ms)
        error = crash.crashed(gone, self._limits, self._err.last)
        order = run.order
        return Finished(order.run_id, order.epoch, "crashed", error=error, active_ms=active_ms)
