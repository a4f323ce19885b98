"""Engine and worker inside the caller's process and event loop: for scripts, tests, benchmarks."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from mainspring.app.stores import MEMORY, locate, make_folder, objects_of, store_at
from mainspring.clock import Clock, SystemClock
from mainspring.engine.engine import Engine
from mainspring.errors import StoreInUse
from mainspring.ids import Bits
from mainspring.sdk import transport
from mainspring.sdk.registry import Registry, registry
from mainspring.store.protocol import EnvironmentRow, Store
from mainspring.wire.calls import Request, Response
from mainspring.wire.worker import Hello
from mainspring.worker.capture import Capture, captured
from mainspring.worker.link import Connection, InProcessLink, OnOrders
from mainspring.worker.session import Session

SLOTS: Final = 100
DRAIN_S: Final = 10.0


class Embedded:
    """The whole platform in this process, from `start` to `stop`, or as an async context manager.

    While it runs, triggers of this process go to it. Tasks must be declared before the start.

    Args:
        database: `:memory:`, or a path or URL as `mainspring server` takes it.
        slots: how many runs execute at once.
        tasks: what is executed; by default everything declared in this process.
        capture: whether output of runs goes into their logs instead of to the terminal.
        environment: whose runs are executed: dev, stg, prod, or preview-….
        loops: without them nothing happens by time; the caller advances `clock` and calls
            `engine.tick()`.

    Attributes:
        engine, store, environment: for harnesses; set while it runs.
    """

    engine: Engine
    store: Store
    environment: EnvironmentRow

    def __init__(
        self,
        database: str = MEMORY,
        *,
        slots: int = SLOTS,
        tasks: Registry = registry,
        clock: Clock | None = None,
        bits: Bits | None = None,
        capture: bool = False,
        loops: bool = True,
        environment: str = "dev",
    ) -> None:
        self._slug = environment
        self._place = locate(database)
        self._slots = slots
        self._tasks = tasks
        self._clock = clock or SystemClock()
        self._bits = bits or random.SystemRandom()
        self._capture = Capture(self._clock) if capture else None
        self._loops = loops
        self._stack = AsyncExitStack()
        self._session: Session | None = None
        self._worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the database, begin to execute, and become this process's default.

        Raises: StoreUnavailable, StoreInUse, SchemaMismatch, InvalidTask.
        """
        async with AsyncExitStack() as stack:
            if self._place.on_disk:
                make_folder(self._place.folder)
            self.store = store_at(self._place)
            await self.store.open()
            stack.push_async_callback(self.store.close)
            objects = objects_of(self.store, self._place)
            self.engine = Engine(self.store, objects, self._clock, self._bits, self._server_id())
            stack.push_async_callback(self.engine.stop)
            await self.engine.start(loops=self._loops)
            self.environment = await self.engine.environment(self._slug)
            self._end_former()
            if self._capture is not None:
                stack.enter_context(captured(self._capture))
            session = await self._begin()
            stack.push_async_callback(self._end)
            stack.callback(transport.install, transport.install(session.transport))
            self._worker = asyncio.create_task(self._keep(), name="embedded worker")
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Let runs end for up to 10 s, then close everything. Safe to call twice.

        What is cut off runs again when the same database is opened again.
        """
        await self._stack.aclose()

    async def crash_worker(self) -> None:
        """Lose the worker as if its process had been killed, and start another one.

        Its runs are taken back at once and execute again; nothing more of the old bodies counts.
        """
        assert self._session is not None, "not started"
        self.engine.lost(self.environment, self._session.id)
        await self._renew()

    async def answer(self, request: Request, run_id: str | None, epoch: int = 0) -> Response:
        """Answer a request of this process; every one of its code comes through here."""
        return await self.engine.answer(self.environment, request, run_id, epoch)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _server_id(self) -> str:
        """A name that no other process has at the same time. A file or memory has one process, so
        its next one takes over at once; servers of one PostgreSQL tell each other apart.
        """
        if self._place.kind != "postgres":
            return "embedded"
        return f"embedded-{uuid.UUID(int=self._bits.getrandbits(128)).hex}"

    def _end_former(self) -> None:
        """Take back what an earlier process on this file held: its worker has died with it.

        Raises: StoreInUse when another process owns the environment.
        """
        owner = self.engine.owners.get(self.environment.shard_id)
        if owner is None:
            raise StoreInUse(
                f"Another process executes what is triggered in {self._slug} of this database. Use "
                "a client of it here (`mainspring.contrib.asgi.connect`, `mainspring.Client`), or "
                "another environment."
            )
        for session_id in list(owner.state.sessions):
            self.engine.lost(self.environment, session_id)

    async def _begin(self) -> Session:
        session = Session(
            f"session_{uuid.UUID(int=self._bits.getrandbits(128)).hex}",
            self._tasks,
            self._slots,
            self._clock,
            capture=self._capture,
            answer=self.answer,
        )
        await session.start(InProcessLink(self._connect, session.hello))
        self._session = session
        return session

    def _connect(self, hello: Hello, deliver: OnOrders) -> Connection:
        """Let the worker of this process in; all that it says comes through here."""
        return self.engine.connect(self.environment, hello, deliver, inside=True)

    async def _keep(self) -> None:
        """Begin anew when the engine ends the session, as after a doubtful commit."""
        while self._session is not None:
            session = self._session
            await asyncio.shield(session.ended)
            if session is self._session:
                await self._renew()

    async def _renew(self) -> None:
        assert self._session is not None
        await self._session.abandon()
        session = await self._begin()
        transport.install(session.transport)

    async def _end(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        if self._session is not None:
            await self._session.drain(DRAIN_S)
            self.engine.lost(self.environment, self._session.id)
            self._session = None
