"""The embedded platform as tests need it: executes when told, notes triggers, breaks anywhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

import msgspec

from mainspring.app.embedded import Embedded
from mainspring.errors import FencedOut
from mainspring.testing.triggered import Triggered
from mainspring.wire.calls import AwaitRun, Request, Response, Trigger, Triggered as Answers
from mainspring.wire.worker import Frame, Hello, Record, ToWorker, Wait
from mainspring.worker.link import Connection, OnOrders


class Platform(Embedded):
    """An embedded platform that executes only while it is open, and watches what code asks of it.

    Attributes:
        triggers: everything that was triggered, in order.
        cut: set once a worker that was told to stop at a request has come there.
        requests: how many requests have come in or were answered.
    """

    triggers: list[Triggered]
    cut: asyncio.Event
    requests: int

    async def start(self) -> None:
        """Begin; see `Embedded`."""
        self.triggers = []
        self.requests = 0
        self.cut = asyncio.Event()
        self._killed = asyncio.Event()
        self._left: int | None = None
        self._cutting: asyncio.Task[None] | None = None
        self._waits = asyncio.Event()
        self._opened = 0
        self._awaiting: Counter[str] = Counter()
        await super().start()
        self._set_slots()

    async def answer(self, request: Request, run_id: str | None, epoch: int = 0) -> Response:
        """Answer a request, if the one who asks is still to learn of it."""
        if run_id is not None and self._left is not None and self._left <= 0:
            await self._die()
        self.requests += 1
        if not isinstance(request, AwaitRun):
            response = await super().answer(request, run_id, epoch)
        elif request.brief:  # its moment is over at once: only waits that are durable use the clock
            at_once = msgspec.structs.replace(request, timeout_ms=0)
            response = await super().answer(at_once, run_id, epoch)
        elif run_id is None:
            with self.opened():
                response = await super().answer(request, None)
        else:
            self._awaiting[run_id] += 1
            self._waits.set()
            try:
                response = await super().answer(request, run_id, epoch)
            finally:
                self._awaiting[run_id] -= 1
        self.requests += 1
        if isinstance(request, Trigger) and isinstance(response, Answers):
            self._note(request, response, run_id)
        if run_id is not None and self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self.cut.set()
                await self._die()
        return response

    def take(self, frame: Frame) -> Frame | None:
        """The part of a frame that arrives before the worker is cut off; None when it is.

        Each step that it records and each wait that it begins counts as a request.
        """
        if self._left is None:
            return frame
        if self._left <= 0:
            return None
        for index, message in enumerate(frame.messages):
            if isinstance(message, Record | Wait):
                self.requests += 1
                self._left -= 1
                if self._left <= 0:
                    self._cutting = asyncio.create_task(self._cut_when_durable())
                    return Frame(frame.number, frame.messages[: index + 1])
        return frame

    @property
    def silent(self) -> bool:
        """Whether the worker does not hear anything any more, because it is to be killed."""
        return self._left is not None and self._left <= 0

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Execute what is queued, as long as the block runs; what has begun then goes on."""
        self._opened += 1
        self._set_slots()
        try:
            yield
        finally:
            self._opened -= 1
            self._set_slots()

    def cut_after(self, requests: int) -> None:
        """Let the code of runs make so many requests; the answer to the last one never arrives.

        Recorded steps and waits that begin count as well.
        """
        self._left = requests

    async def crash_worker(self) -> None:
        """Lose the worker with everything that it holds, and start another one."""
        self._left = None
        self._killed.set()
        self._killed, self.cut = asyncio.Event(), asyncio.Event()
        await super().crash_worker()
        self._set_slots()

    async def stop(self) -> None:
        """End what executes at once, and everything with it."""
        session, self._session = self._session, None  # so that nothing is waited for
        if session is not None:
            self.engine.lost(self.environment, session.id)
            await session.abandon()
        await super().stop()

    async def progress(self) -> None:
        """Wait until a run ends or begins to await another one, or something is decided."""
        owner = self.engine.owners[self.environment.shard_id]
        self._waits.clear()
        either = {
            asyncio.ensure_future(owner.turn_over()),
            asyncio.ensure_future(self._waits.wait()),
        }
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in either:
                future.cancel()

    @property
    def moves(self) -> int:
        """Grows with everything that happens."""
        owner = self.engine.owners[self.environment.shard_id]
        return owner.commits + self.requests

    @property
    def held(self) -> list[str]:
        """The runs that hold a slot."""
        owner = self.engine.owners[self.environment.shard_id]
        return sorted(owner.state.lives)

    @property
    def busy(self) -> list[str]:
        """The runs that hold a slot and do not wait for the end of another run."""
        return [run_id for run_id in self.held if not self._awaiting[run_id]]

    async def next_at(self, until: int) -> int:
        """When something happens by time, but not after `until`; epoch ms."""
        owner = self.engine.owners[self.environment.shard_id]
        after = (self._clock.now(), "\U0010ffff", "")
        timers = await self.store.live.timers(owner.state.shard_id, after, until, 1)
        cursor = (self._clock.now(), "\U0010ffff")
        ticks = await self.store.operations.schedules_due(owner.state.shard_id, cursor, until, 1)
        times = [until, *(timer.fire_at for timer in timers), *(fire_at for fire_at, _ in ticks)]
        free_at = owner.state.core.rates.next_wake()
        if free_at is not None and free_at > self._clock.now():
            times.append(free_at)
        return min(times)

    def _note(self, request: Trigger, response: Answers, run_id: str | None) -> None:
        for asked, answer in zip(request.requests, response.answers, strict=True):
            payload = msgspec.json.decode(asked.payload)
            self.triggers.append(
                Triggered(asked.task, payload, asked.options, answer.run_id, run_id, answer.cached)
            )

    def _set_slots(self) -> None:
        owner = self.engine.owners.get(self.environment.shard_id)
        session = self._session
        if owner is None or session is None or session.id not in owner.state.sessions:
            return
        owner.state.sessions[session.id].slots = self._slots if self._opened else 0
        owner.ring()

    def _connect(self, hello: Hello, deliver: OnOrders) -> Connection:
        def told(orders: list[ToWorker]) -> None:
            if not self.silent:
                deliver(orders)

        return _Tap(self, super()._connect(hello, told))

    async def _die(self) -> None:
        """Wait until the worker is killed. Raises: FencedOut."""
        await self._killed.wait()
        raise FencedOut("This worker was killed by the test.")

    async def _cut_when_durable(self) -> None:
        await self.engine.idle()
        self.cut.set()


class _Tap:
    """The engine's side of the worker's link, with an ear on what the worker says."""

    def __init__(self, platform: Platform, inner: Connection) -> None:
        self._platform = platform
        self._inner = inner

    def receive(self, frame: Frame) -> None:
        taken = self._platform.take(frame)
        if taken is not None:
            self._inner.receive(taken)

    def close(self) -> None:
        self._inner.close()
