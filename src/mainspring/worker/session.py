"""One worker session: puts link, runner, transport and lease together, from start to end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from mainspring.clock import Clock
from mainspring.errors import FencedOut, ServerUnreachable
from mainspring.sdk import branches, observe
from mainspring.sdk.observe import WorkerEvent
from mainspring.sdk.registry import Registry
from mainspring.wire.calls import Request, Response
from mainspring.wire.worker import (
    PROTOCOL,
    Answer,
    Cancel,
    Capacity,
    Execute,
    Fenced,
    Finished,
    FromWorker,
    Goodbye,
    Hello,
    Record,
    Resolved,
    Resume,
    Revoke,
    ToWorker,
    Welcome,
)
from mainspring.worker.capture import Capture
from mainspring.worker.lease import Lease
from mainspring.worker.link import Link
from mainspring.worker.runner import Runner
from mainspring.worker.slots import Slots
from mainspring.worker.transport import LinkTransport, LocalTransport

CLEAN_UP_S: Final = 5.0
"""How long bodies that were told to end at a drain's end may clean up."""
SETTLE_S: Final = 5.0

Answering = Callable[[Request, str | None, int], Awaitable[Response]]
"""Answers a request that the code of a run, in that epoch, makes; None = code outside of runs."""


class Session:
    """Takes orders over a link and executes them; one session is one claim to a worker's name.

    Attributes:
        ended: answered with the server's Goodbye, or with one of our own when the lease lapsed.
        transport: through which code of runs, or of the process, reaches the engine.
    """

    def __init__(
        self,
        session_id: str,
        registry: Registry,
        slots: int,
        clock: Clock,
        *,
        version: str = "",
        lease: Lease | None = None,
        capture: Capture | None = None,
        answer: Answering | None = None,
    ) -> None:
        """`answer`: the engine's, when it is in this process; else requests go over the link."""
        self.id = session_id
        self.ended: asyncio.Future[Goodbye] = asyncio.get_running_loop().create_future()
        self.lease = lease
        self._tasks, self._queues = registry.specs()
        self._slots = Slots(slots)
        self._version = version
        self._clock = clock
        self._capture = capture
        self._link: Link | None = None
        self._links = 0
        self._attempts: dict[tuple[str, int], tuple[str, int]] = {}
        self.runner = Runner(
            registry.executables(),
            self._slots,
            self._send,
            clock,
            capture=capture,
            claimed=self._claimed,
        )
        if lease is not None:
            self.runner.journals.lapsed = lambda: lease.lapsed
        self._linked: LinkTransport | None = None
        self.transport: LocalTransport | LinkTransport
        if answer is not None:
            self.transport = LocalTransport(answer, self._slots)
        else:
            self._linked = LinkTransport(
                session_id, self._slots, self.runner.post, self._undelivered
            )
            self.transport = self._linked
        self.runner.provide(self.transport, self.transport.ask)
        branches.install(asyncio.get_running_loop())

    @property
    def running(self) -> int:
        """How many attempts it holds."""
        return len(self._slots.held)

    @property
    def lingering(self) -> int:
        """Threads that are still inside the body of an attempt that was given up."""
        return self.runner.lingering

    def hello(self) -> Hello:
        """What it says of itself on each new connection."""
        self._links += 1
        return Hello(
            PROTOCOL,
            self.id,
            self._slots.size,
            self._version,
            self._tasks,
            self._queues,
            socket.gethostname(),
            os.getpid(),
            self._slots.pairs(),
            self._slots.parked_pairs(),
            self.runner.isolates,
            self._links,
        )

    async def start(self, link: Link) -> None:
        """Begin to take orders from the link."""
        self._link = link
        self.runner.journals.outbox = link.outbox
        link.outbox.on_durable = self._durable
        if self._capture is not None:
            self._capture.attach(self._slots, self.runner.post)
        await link.start(self.receive)

    def receive(self, orders: list[ToWorker]) -> None:
        """Obey a batch of orders, unless it has lain here until the lease ran out."""
        runner = self.runner
        for order in orders if not self._over() else ():
            kind = type(order)
            if kind is Execute:
                runner.execute(order)  # type: ignore[arg-type]
            elif isinstance(order, Answer):
                if self._linked is not None:
                    self._linked.answered(order)
            elif isinstance(order, Resume):
                self._resumed(order)
                runner.resume(order)
            elif isinstance(order, Resolved):
                runner.parking.resolved(order)
            elif isinstance(order, Cancel):
                runner.cancel(order)
            elif isinstance(order, Revoke):
                runner.revoke(order)
            elif isinstance(order, Fenced):
                runner.fence(order)
            elif isinstance(order, Welcome):
                self._welcomed(order)
            elif isinstance(order, Goodbye):
                self.end(order)
        runner.arm()

    def end(self, goodbye: Goodbye) -> None:
        """The session is over: whoever waits for `ended` has to call `abandon`."""
        if not self.ended.done():
            self.ended.set_result(goodbye)

    def lapse(self) -> None:
        """The lease ran out on our side, or the server does not know the session any more."""
        self.end(Goodbye("its lease ran out", retry=True))

    def renewed(self) -> None:
        """A beat was acknowledged; tell those who watch."""
        for run in self._slots.held.values() if observe.observers else ():
            order = run.order
            self._observe("renew", order.run_id, order.epoch, order.task, order.attempt)

    async def drain(self, grace_s: float, clean_up_s: float = CLEAN_UP_S) -> int:
        """Take nothing new, let what runs end for at most `grace_s`, then stop it.

        Parked runs are given away and do not hold this up; their code never goes on here.

        Returns how many attempts were cut off; of those nothing is reported, so that they run again
        elsewhere without losing an attempt. The link is closed then. When the session is over
        before that, all code stops at once, since others may execute it.
        """
        self._slots.size = 0
        parking = self.runner.parking
        parking.draining = True
        parking.give_away()
        self.runner.post(Capacity(0))
        await _within(grace_s, self._emptied())
        cut = self.running
        if self.ended.done():
            await self.abandon()
            return cut
        if cut:
            await _within(clean_up_s, self.runner.cut_off(clean_up_s))
        if self._capture is not None:
            self._capture.flush()
        self.runner.telling.flush()
        await self._settle()
        parking.give_away()  # what has parked last
        await self._settle()
        await self._close(ServerUnreachable("This worker is stopping."))
        return cut

    async def abandon(self) -> None:
        """Stop everything at once and report nothing: the session is not ours any more."""
        self.runner.abandon()
        await self._close(FencedOut("This worker session is over; another one has its runs."))

    async def _emptied(self) -> None:
        """Until no attempt is left, or the session is over."""
        emptied = asyncio.ensure_future(self.runner.emptied())
        try:
            either: set[asyncio.Future[Any]] = {emptied, self.ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            emptied.cancel()
            await asyncio.gather(emptied, return_exceptions=True)

    async def _close(self, error: Exception) -> None:
        if self._linked is not None:
            self._linked.end(error)
        if self._link is not None:
            self._link.outbox.give_up(error)
            await self._link.close()
        self.runner.close()

    async def _settle(self) -> None:
        """Have everything that was posted durable, if that does not take long."""
        if self._link is not None:
            await asyncio.sleep(0)  # it reaches the link
            await _within(SETTLE_S, self._link.outbox.settled())

    def _send(self, messages: list[FromWorker]) -> None:
        if not self._over() and self._link is not None:
            self._link.send(messages)

    def _over(self) -> bool:
        """Whether nothing may be said or done any more; a process may have stood still for long."""
        if self.lease is not None and self.lease.lapsed:
            self.lapse()
        return self.ended.done()

    def _welcomed(self, welcome: Welcome) -> None:
        self.runner.environment = welcome.environment
        if self._linked is not None:
            self._linked.welcomed(welcome)
        else:
            self.transport.environment = welcome.environment

    def _undelivered(self) -> list[FromWorker]:
        return list(self._link.outbox.messages()) if self._link is not None else []

    def _claimed(self, order: Execute) -> None:
        self._attempts[order.run_id, order.epoch] = order.task, order.attempt
        self._observe("claim", order.run_id, order.epoch, order.task, order.attempt)

    def _resumed(self, order: Resume) -> None:
        attempt = self._attempts.pop((order.run_id, order.before), None)
        if attempt is not None and observe.observers:
            self._attempts[order.run_id, order.epoch] = attempt
            self._observe("claim", order.run_id, order.epoch, *attempt)

    def _durable(self, messages: list[FromWorker]) -> None:
        for message in messages if observe.observers else ():
            if isinstance(message, Record):
                task, attempt = self._attempts.get((message.run_id, message.epoch), ("", 0))
                for _ in message.entries:
                    self._observe("step", message.run_id, message.epoch, task, attempt)
            elif isinstance(message, Finished):
                task, attempt = self._attempts.pop((message.run_id, message.epoch), ("", 0))
                self._observe("end", message.run_id, message.epoch, task, attempt, message.outcome)

    def _observe(
        self,
        kind: observe.Kind,
        run_id: str,
        epoch: int,
        task: str,
        attempt: int,
        outcome: str = "",
    ) -> None:
        at = self._clock.now()
        observe.emit(WorkerEvent(kind, run_id, epoch, at, self.id, task, attempt, outcome))


async def _within(seconds: float, work: Awaitable[None]) -> None:
    """Wait for something, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return
