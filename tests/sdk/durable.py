"""A port that keeps entries in a list and answers waits when told; bodies run as in a worker."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from mainspring.clock import ManualClock
from mainspring.errors import MainspringError
from mainspring.model.run import Run as ApiRun, RunError, Status, TriggerAnswer
from mainspring.sdk import branches, transport
from mainspring.sdk.context import Context, running
from mainspring.sdk.journal import Journal
from mainspring.wire import calls
from mainspring.wire.worker import Entry, Execute, Op, Wait
from tests.sdk.conftest import order


class ListPort:
    """One run's way to an engine: `entries` outlive the worker, all else does not."""

    def __init__(self, entries: list[Entry] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.entries = [] if entries is None else entries
        self.later: list[Entry] = []
        """Entries for the next generation."""
        self.waits: dict[str, tuple[Wait, asyncio.Future[Entry]]] = {}
        self.bell = asyncio.Event()
        self.asked: list[Any] = []
        self.outcomes: dict[str, calls.Outcome] = {}
        self.made = 0
        self.written: list[tuple[str, str, str]] = []
        """Chunks of streams, with the run that they are for."""
        self.busy: asyncio.Future[None] | None = None
        """What a writer of chunks has to wait for."""
        self.moment = asyncio.Event()
        """Cleared: who awaits a run gets no answer yet."""
        self.moment.set()
        self.lost = False
        """Answer nothing any more: the connection is gone."""

    async def record(self, entries: list[Entry]) -> None:
        await asyncio.sleep(0)
        if self.lost:
            await asyncio.Future()
        self.post(entries)

    def post(self, entries: list[Entry], generation: int | None = None) -> None:
        if generation is not None:
            self.later += entries
            return
        known = {entry.key for entry in self.entries}
        self.entries += [entry for entry in entries if entry.key not in known]

    async def wait(self, wait: Wait) -> Entry:
        future: asyncio.Future[Entry] = self.loop.create_future()
        self.waits[wait.key] = wait, future
        self.bell.set()
        return await future

    async def begun(self, key: str) -> None:
        """Return once a wait is there, of code in a thread."""
        while key not in self.waits:
            self.bell.clear()
            await self.bell.wait()

    def resolve(self, key: str, data: str | None = None, status: str = "completed") -> None:
        wait, future = self.waits.pop(key)
        entry = Entry(key, wait.seq, wait.kind, status, data, fingerprint=wait.fingerprint)
        self.entries.append(entry)
        future.set_result(entry)

    async def call(self, request: Any) -> Any:
        self.asked.append(request)
        await asyncio.sleep(0)
        if isinstance(request, calls.Trigger):
            made = [self._make(item) for item in request.requests]
            if request.key is not None:
                data = msgspec.json.encode([[run.run_id, run.cached] for run in made]).decode()
                mark = request.fingerprint
                entry = Entry(request.key, request.seq, "trigger", data=data, fingerprint=mark)
                self.entries.append(entry)
            return calls.Triggered(made)
        if isinstance(request, calls.GetOutcomes):
            assert len(request.run_ids) <= 100
            found = [self.outcomes[run] for run in request.run_ids if run in self.outcomes]
            return calls.Outcomes(found)
        if isinstance(request, calls.AwaitRun):
            await self.moment.wait()
            return self._run(request.run_id)
        raise MainspringError(f"unexpected {request!r}")

    def _run(self, run_id: str) -> ApiRun:
        found = self.outcomes.get(run_id)
        if found is None:
            return ApiRun(run_id, "t", Status.EXECUTING, "q", 1, 0)
        status, output = Status(found.status), found.output
        return ApiRun(run_id, "t", status, "q", 1, 0, output=output, error=found.error)

    def _make(self, item: Any) -> TriggerAnswer:
        self.made += 1
        return TriggerAnswer(f"run_{item.task}_{self.made}")

    def ended(
        self, run_id: str, output: str | None = "null", error: RunError | None = None
    ) -> None:
        status = "completed" if error is None else "failed"
        task = run_id.split("_")[1]
        self.outcomes[run_id] = calls.Outcome(run_id, task, status, output, error)

    def update(self, ops: list[Op], tags: tuple[str, ...]) -> None:
        raise AssertionError("no test here changes metadata")

    def append(self, stream: str, chunk: str, target: str = "") -> asyncio.Future[None] | None:
        self.written.append((target, stream, chunk))
        return self.busy

    async def flush(self) -> None:
        await asyncio.sleep(0)

    @property
    def keys(self) -> list[str]:
        return [entry.key for entry in self.entries]


class Run:
    """One attempt of a body, as a worker executes it."""

    def __init__(
        self,
        body: Callable[[], Awaitable[Any]],
        entries: list[Entry] | None = None,
        **fields: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        branches.install(loop)
        self.port = ListPort(entries)
        self.order: Execute = order(journal=list(self.port.entries), **fields)
        self.ctx = Context(self.order)
        self.clock = ManualClock()
        self.ctx.open_journal = self._open
        context = contextvars.copy_context()
        context.run(running.set, self.ctx)
        context.run(transport.active.set, None)
        self.task: asyncio.Task[Any] = loop.create_task(_awaited(body), context=context)

    def _open(self, ctx: Context) -> Journal:
        journal = Journal(self.order, self.port, self.clock)
        journal.branches.add(self.task)
        return journal

    @property
    def journal(self) -> Journal:
        return self.ctx.journal

    @property
    def blocked(self) -> bool:
        return branches.blocked(self.journal)

    async def until_blocked(self) -> None:
        """Return once nothing can go on before a wait ends."""
        for _ in range(100):
            if self.blocked:
                return
            await asyncio.sleep(0)
        raise AssertionError("the run does not wait")

    async def waits(self) -> set[str]:
        await self.until_blocked()
        return set(self.port.waits)

    async def lose(self) -> list[Entry]:
        """The worker is gone: what the next one is given."""
        self.port.lost = True
        await idle()
        while not self.task.done():  # `wait_for` of Python 3.11 may swallow a cancellation
            for task in [*self.journal.branches, self.task]:
                task.cancel()
            await idle(3)
        return list(self.port.entries)


async def _awaited(body: Callable[[], Awaitable[Any]]) -> Any:
    return await body()


async def idle(turns: int = 20) -> None:
    """Let everything go on that can."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def ran(
    body: Callable[[], Awaitable[Any]], entries: list[Entry] | None = None, **fields: Any
) -> tuple[Any, list[Entry]]:
    """What a body returns, and its journal then."""
    run = Run(body, entries, **fields)
    return await run.task, run.port.entries
