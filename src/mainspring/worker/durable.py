"""What the journal of one run asks of its worker: the SDK's port for a run in this process.

Which runs give their slots back while they wait is `park`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Protocol

import msgspec

from mainspring.errors import FencedOut
from mainspring.sdk.context import Context
from mainspring.sdk.hooks import Waiting
from mainspring.wire.calls import Request, Response
from mainspring.wire.worker import (
    Append,
    Entry,
    Execute,
    FromWorker,
    Op,
    Record,
    ToWorker,
    Update,
    Wait,
)
from mainspring.worker import hidden
from mainspring.worker.outlet import Outlet


class Attempt(Protocol):
    """The attempt that a port is of; `slots.Held` is one."""

    order: Execute
    ctx: Context
    work: asyncio.Task[None] | None

    @property
    def lost(self) -> bool:
        """Whether nothing of it counts any more."""
        ...


class Voice(Protocol):
    """How a run speaks through its session; on the session's event loop."""

    loop: asyncio.AbstractEventLoop

    def post(self, message: FromWorker) -> None:
        """Send a message at the end of this iteration of the loop."""
        ...

    def durable(self) -> asyncio.Future[None]:
        """Answered once everything that was posted is durable."""
        ...

    async def ask(self, request: Request, order: Execute) -> Response:
        """Ask the engine in the name of the run. Raises: MainspringError."""
        ...

    def arm(self) -> None:
        """Look at the end of this iteration what is to be sent, and which runs can be parked."""
        ...

    def look(self, run_id: str) -> None:
        """See at the end of this iteration whether all code of the run waits."""
        ...


class Relay(Protocol):
    """The process that a run has for itself; its journal is there."""

    def tell(self, orders: list[ToWorker]) -> None:
        """Pass on orders for the run."""
        ...

    def kill(self) -> None:
        """End the process at once."""
        ...


class Durable:
    """The port of one run; it follows the run to its next epoch when that is resumed here.

    Attributes:
        parked: the waits in which the run is, without a slot; empty while it has one. `park` says
            so.
        said: answered when that is durable.
        rested: when that began, by `time.monotonic`.
        spent: seconds that the body ran under this epoch before it was parked.
        told: what the wait hooks of the task were told of; None when nothing, or in the meantime
            the run has gone on.
        hooked: whether a hook around a wait is under way; outcomes are held back meanwhile.
        held_back: those outcomes.
        relay: where the run executes, when that is a process of its own.
        outlets: what the code writes to streams, by (run or "", stream).
        due: whether the run is to be looked at in this iteration, or `later` at the latest.
        since: the epoch in which the code of the run began.
        looks: how often in a row the run was found to have code that goes on beside its waits.
    """

    __slots__ = (
        "_open", "_run", "_voice", "due", "held_back", "hooked", "later", "looks", "loop",
        "outlets", "parked", "relay", "rested", "said", "since", "spent", "told",
    )  # fmt: skip

    def __init__(self, run: Attempt, voice: Voice) -> None:
        self.loop = voice.loop
        self.parked: list[str] = []
        self.relay: Relay | None = None
        self.said: asyncio.Future[None] | None = None
        self.rested = 0.0
        self.spent = 0.0
        self.told: list[Waiting] | None = None
        self.hooked = False
        self.held_back: list[Entry] = []
        self.due = False
        self.later: asyncio.TimerHandle | None = None
        self.looks = 0
        self._run = run
        self._voice = voice
        self._open: dict[str, tuple[str, asyncio.Future[Entry]]] = {}
        self.outlets: dict[tuple[str, str], Outlet] = {}
        self.since = run.order.epoch

    async def record(self, entries: list[Entry]) -> None:
        self.post(entries)
        await self.flush()

    def post(self, entries: list[Entry], generation: int | None = None) -> None:
        order = self._alive().order
        self.pour()
        into = order.generation if generation is None else generation
        told = [_shown(entry) for entry in entries]
        self._voice.post(Record(order.run_id, order.epoch, into, told))

    async def wait(self, wait: Wait) -> Entry:
        order = self._alive().order
        wait.run_id, wait.epoch = order.run_id, order.epoch
        future: asyncio.Future[Entry] = self.loop.create_future()
        self._open[wait.key] = wait.kind, future
        self.pour()
        self._voice.post(wait)
        self._voice.look(order.run_id)
        try:
            return await future
        finally:
            kept = self._open.get(wait.key)
            if kept is not None and kept[1] is future:
                del self._open[wait.key]

    async def call(self, request: Request) -> Response:
        return await self._voice.ask(request, self._alive().order)

    def update(self, ops: list[Op], tags: tuple[str, ...]) -> None:
        order = self._alive().order
        self.pour()
        self._voice.post(Update(order.run_id, order.epoch, ops, tags))

    def append(self, stream: str, chunk: str, target: str = "") -> asyncio.Future[None] | None:
        self._alive()
        outlet = self.outlets.get((target, stream))
        if outlet is None:
            said = partial(self._append, target, stream)
            outlet = self.outlets[target, stream] = Outlet(self.loop, said)
        return outlet.put(chunk)

    def pour(self) -> None:
        """Say what the code has written to streams, before something that comes after it."""
        for outlet in self.outlets.values():
            outlet.pour()

    async def flush(self) -> None:
        self._alive()
        self.pour()
        await self._voice.durable()
        self._alive()  # whoever was fenced out meanwhile must not go on

    @property
    def waits(self) -> list[Waiting] | None:
        """The waits that are open; None when the outcome of one is on its way to the code."""
        found = []
        for key, (kind, future) in self._open.items():
            if future.done():
                return None
            found.append(Waiting(kind, key))
        return found

    def tell(self, entries: Iterable[Entry]) -> None:
        """Give outcomes to the code that waits for them; others are not needed any more."""
        for entry in entries:
            wait = self._open.get(entry.key)
            if wait is not None and not wait[1].done():
                wait[1].set_result(entry)

    def stop_waiting(self) -> None:
        """Cancel what waits durably: code that was told to end, or was left behind."""
        journal = self._run.ctx.opened
        for task in list(journal.waiting) if journal is not None else ():
            task.cancel()

    def close(self) -> None:
        """The attempt is not ours any more: end the branches of the run, too."""
        if self.later is not None:
            self.later.cancel()
        journal = self._run.ctx.opened
        for task in list(journal.branches) if journal is not None else ():
            if task is not self._run.work:
                task.cancel()

    def _append(
        self, target: str, stream: str, first: int, chunks: list[str]
    ) -> asyncio.Future[None] | None:
        """Say this, unless nothing of the run counts any more; answered once it is durable."""
        if self._run.lost:
            return None
        order = self._run.order
        self._voice.post(
            Append(order.run_id, order.epoch, stream, self.since, first, chunks, target)
        )
        return self._voice.durable()

    def _alive(self) -> Attempt:
        run = self._run
        if run.lost:
            order = run.order
            raise FencedOut(
                f"Attempt {order.attempt} of run {order.run_id} has ended or was taken over; code "
                "that it left behind can neither record nor wait."
            )
        return run


def _shown(entry: Entry) -> Entry:
    """The entry as it is kept: the error of a failed step without secrets, a result as it is."""
    if entry.status != "failed" or entry.data is None:
        return entry
    return msgspec.structs.replace(entry, data=hidden.shown_json(entry.data))
