"""One run replayed to its live point: what the journal answers is answered, and nothing else.

The first operation without an entry stops it. Processes and tables are others' business.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from msgspec import Struct

from mainspring.errors import InvalidPayload
from mainspring.sdk import branches, hooks, transport
from mainspring.sdk.context import Context, running
from mainspring.sdk.journal import Journal, Place
from mainspring.sdk.registry import Executable
from mainspring.sdk.signals import Continued, Divergence, Signal
from mainspring.wire.calls import GetOutcomes, Outcome, Outcomes, Request, Response
from mainspring.wire.deploying import WaitingRun
from mainspring.wire.worker import Entry, Op, Wait
from mainspring.worker.refusing import refusing

LIMIT_S: Final = 5.0
"""How long the replay of one run may take; a journal of 10,000 entries takes 0.1 s."""
TURNS: Final = 20
"""Of the loop, in which branches of the run come to their own live points."""


class Verdict(Struct, frozen=True):
    """What the code does with a run. `verdict`: fits, diverges, unknown. `at` is the key of the
    entry at which it diverges, or of the operation that it would go on with.
    """

    run_id: str
    task: str
    version: str
    verdict: str
    at: str = ""
    reason: str = ""


class Reached(Signal):
    """The code has come to an operation that is not in the journal."""


class Rehearsal(Journal):
    """A journal that gives what it has, and lets nothing new happen.

    `reached`: the first operation without an entry.
    """

    __slots__ = ("_outcomes", "reached")

    def __init__(
        self, run: WaitingRun, outcomes: Mapping[str, Outcome], loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(run.order, _Silent(loop))
        self.reached = ""
        self._outcomes = outcomes

    def check(self, place: Place, kind: str, fingerprint: str) -> None:
        super().check(place, kind, fingerprint)
        if place.entry is None:
            self._reach(place.key)

    async def record(self, entry: Entry) -> None:
        self._reach(entry.key)

    def post(self, entry: Entry, generation: int | None = None) -> None:
        if not entry.key.startswith("!"):
            self._reach(entry.key)

    async def wait(self, place: Place, wait: Wait) -> Entry:
        if place.entry is None:
            self._reach(place.key)
        assert place.entry is not None
        return place.entry

    async def call(self, request: Request, *, kept: bool = False) -> Response:
        if isinstance(request, GetOutcomes):
            known = [self._outcomes[id_] for id_ in request.run_ids if id_ in self._outcomes]
            return Outcomes(known)
        if kept:
            self._reach(f"trigger:{type(request).__name__}")
        raise refusing.note(f"a request to the server ({type(request).__name__})")

    def _reach(self, key: str) -> None:
        self.reached = self.reached or key
        raise Reached(key)


class _Silent:
    """The port of a replay: what is told goes nowhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    async def record(self, entries: list[Entry]) -> None:
        return

    def post(self, entries: list[Entry], generation: int | None = None) -> None:
        return

    async def wait(self, wait: Wait) -> Entry:
        raise Reached(wait.key)

    async def call(self, request: Request) -> Response:
        raise refusing.note(f"a request to the server ({type(request).__name__})")

    def update(self, ops: list[Op], tags: tuple[str, ...]) -> None:
        return

    def append(self, stream: str, chunk: str, target: str = "") -> asyncio.Future[None] | None:
        return None

    async def flush(self) -> None:
        return


class _NoTransport:
    """How code of a run reaches the engine beside its journal: not at all."""

    environment = ""
    loop: asyncio.AbstractEventLoop | None = None

    async def call(self, request: Request) -> Response:
        raise refusing.note(f"a request to the server ({type(request).__name__})")

    async def close(self) -> None:
        return


async def rehearse(
    tasks: Mapping[str, Executable], run: WaitingRun, outcomes: Mapping[str, Outcome]
) -> Verdict:
    """Replay a run and say whether the code fits what is behind it."""
    order = run.order
    verdict = partial(Verdict, order.run_id, order.task, run.version)
    task = tasks.get(order.task)
    if task is None:
        return verdict("diverges", "", "the code has no such task")
    loop = asyncio.get_running_loop()
    branches.install(loop)
    journal = Rehearsal(run, outcomes, loop)
    ctx = Context(order)
    ctx.open_journal = lambda ctx: journal
    context = contextvars.copy_context()
    context.run(running.set, ctx)
    context.run(transport.active.set, _NoTransport())
    with refusing.on():
        error = await _ended(task, ctx, journal, context)
    if isinstance(journal.ended, Divergence):
        details: dict[str, str] = journal.ended.error.details
        return verdict(
            "diverges", details["key"], f"it was {details['expected']} and is {details['found']}"
        )
    if isinstance(error, InvalidPayload):
        return verdict("diverges", "", f"its payload does not fit: {error.message}")
    if refusing.refused:
        return verdict("unknown", journal.reached, f"it does more than steps: {refusing.refused}")
    left = [key for key in journal.unread() if not key.startswith("!")]
    if isinstance(error, TimeoutError):
        return verdict("unknown", "", f"it came to no operation within {LIMIT_S:g} s")
    if isinstance(error, Reached | Continued | None) or journal.reached:
        if left:
            return verdict("diverges", left[0], _removed(left[0], journal.reached))
        return verdict("fits", journal.reached)
    return verdict("unknown", "", f"it raises {type(error).__name__}: {error}"[:300])


def _removed(key: str, reached: str) -> str:
    if reached:
        return f"it was done, and the code comes to {reached!r} without it"
    return "it was done, and the code ends without it"


async def _ended(
    task: Executable, ctx: Context, journal: Journal, context: contextvars.Context
) -> BaseException | None:
    """Execute the code until it ends or stops; with what it was left."""
    loop = asyncio.get_running_loop()
    work = asyncio.Task(_body(task, ctx), loop=loop, context=context)
    if task.is_async:
        journal.branches.add(work)
    await asyncio.wait({work}, timeout=LIMIT_S)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    for branch in {work, *journal.branches}:
        branch.cancel()
    if not work.done():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.wait({work})
        return TimeoutError()
    if work.cancelled():
        return asyncio.CancelledError()
    return work.exception()


async def _body(task: Executable, ctx: Context) -> Any:
    """The body as a worker enters it, between its hooks."""
    args, kwargs = task.bind_payload(ctx._order.payload, ctx)

    async def call() -> Any:
        if task.is_async:
            return await task.func(*args, **kwargs)
        return await asyncio.to_thread(task.func, *args, **kwargs)

    return await hooks.run_attempt(task, ctx, call)
