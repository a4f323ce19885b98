"""Opens the journals of a session's runs and speaks for them. What is said is the SDK's matter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from mainspring.clock import Clock
from mainspring.errors import FencedOut
from mainspring.sdk.context import Context
from mainspring.sdk.journal import Journal
from mainspring.sdk.registry import Executable
from mainspring.wire.calls import Request, Response
from mainspring.wire.worker import Execute, FromWorker
from mainspring.worker.durable import Durable, Relay
from mainspring.worker.outbox import Outbox
from mainspring.worker.slots import Held, Slots

Ask = Callable[[Request, Execute], Awaitable[Response]]
"""Makes a request in the name of a run."""


class Journals:
    """The voice of every run with a journal (see `durable.Voice`), and its way to one.

    Attributes:
        outbox: where what is sent goes; set when there is a link.
        transport: how requests are made; set with the transport.
        waits: called with a run that may have to be parked.
        lapsed: whether the session's lease has run out; None for a session without one.
    """

    def __init__(
        self,
        slots: Slots,
        tasks: dict[str, Executable],
        clock: Clock,
        post: Callable[[FromWorker], None],
        arm: Callable[[], None],
        unsent: Callable[[], int],
    ) -> None:
        """`post` and `arm` are the runner's; `unsent` says how many messages it holds back."""
        self.loop = asyncio.get_running_loop()
        self.outbox: Outbox | None = None
        self.transport: Ask | None = None
        self.waits: Callable[[Held], None] = lambda run: None
        self.lapsed: Callable[[], bool] | None = None
        self.post = post
        self.arm = arm
        self._slots = slots
        self._tasks = tasks
        self._clock = clock
        self._unsent = unsent

    def open(self, ctx: Context) -> Journal:
        """The journal of a run that does something durable for the first time; from any thread."""
        run = self._slots.owner(ctx)
        if run is None:  # code that was left behind, which may clean up without the engine
            run = Held(ctx._order, self._tasks[ctx.task], ctx)
            run.over = True
        run.port = Durable(run, self)
        journal = Journal(run.order, run.port, self._clock)
        journal.stirred = partial(self.look, ctx.run_id)
        journal.lapsed = self.lapsed
        if run.thread is not None:
            journal.thread = run.thread
        elif run.work is not None:
            journal.branches.add(run.work)
        return journal

    def relay(self, run: Held, relay: Relay) -> None:
        """The run's journal is in a process of its own, to which its orders are passed on."""
        run.port = Durable(run, self)
        run.port.relay = relay

    def durable(self) -> asyncio.Future[None]:
        """Answered once everything that was posted is durable."""
        if self.outbox is None:
            raise FencedOut("This worker session is over; its code must end.")
        return self.outbox.after(self._unsent())

    async def ask(self, request: Request, order: Execute) -> Response:
        """Ask the engine in the name of the run. Raises: MainspringError."""
        assert self.transport is not None
        return await self.transport(request, order)

    def look(self, run_id: str) -> None:
        """See at the end of this iteration whether all code of the run waits."""
        run = self._slots.held.get(run_id)
        if run is not None:
            self.waits(run)
