"""What running code knows about its own run. Setting it up is the worker's business."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mainspring.errors import Misplaced
from mainspring.model import tracing
from mainspring.sdk.journal import Journal
from mainspring.sdk.scopes import current_branch
from mainspring.wire.worker import Execute

_decode: Final = msgspec.json.Decoder().decode


class Cancellation:
    """Becomes set once, from any thread; coroutines and threads can look at it or wait for it."""

    __slots__ = ("_set", "_wake")

    def __init__(self) -> None:
        self._set = False
        self._wake: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Whether the run should end now."""
        return self._set

    def set(self) -> None:
        """Say so to everyone who looks or waits; again changes nothing."""
        self._set = True
        while self._wake:
            self._wake.pop()()

    async def wait(self) -> None:
        """Return once it is set."""
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        with self._woken_by(lambda: loop.call_soon_threadsafe(event.set)):
            if not self._set:
                await event.wait()

    def wait_blocking(self, timeout: float | None = None) -> bool:
        """Block this thread until it is set, at most `timeout` seconds; whether it is set."""
        event = threading.Event()
        with self._woken_by(event.set):
            return self._set or event.wait(timeout)

    @contextlib.contextmanager
    def _woken_by(self, wake: Callable[[], object]) -> Iterator[None]:
        # listed before the reader looks: a set() in between finds one of the two
        self._wake.append(wake)
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):  # set() has taken it
                self._wake.remove(wake)


class Context:
    """The run that the current code belongs to.

    A parameter annotated `Context` receives it, whatever its name; `current()` gives it anywhere
    below.

    Attributes:
        attempt: counted from 1.
        epoch: the fencing token. It grows each time the run is claimed, so an outside system that
            remembers the highest one can refuse a late writer.
        tags: as they were when the attempt began.
        created_at: epoch ms.
        canceled: set when the run should end: it was canceled, or its time is over.
        locals: what `Local` keys hold in this attempt.
        open_journal: makes the journal when the code first needs it; the worker sets it.
    """

    __slots__ = (
        "_journal",
        "_order",
        "_payload",
        "_started",
        "_started_wall",
        "attempt",
        "canceled",
        "concurrency_key",
        "created_at",
        "depth",
        "environment",
        "epoch",
        "idempotency_key",
        "is_test",
        "locals",
        "max_attempts",
        "open_journal",
        "parent_id",
        "queue",
        "root_id",
        "run_id",
        "tags",
        "task",
        "version",
    )

    def __init__(
        self,
        order: Execute,
        environment: str = "dev",
        *,
        payload: Callable[[str], Any] | None = None,
    ) -> None:
        self._order = order
        self._payload = payload or _decode
        self._journal: Journal | None = None
        self.open_journal: Callable[[Context], Journal] | None = None
        self._started = time.monotonic()
        self._started_wall = time.time()
        self.environment = environment
        self.canceled = Cancellation()
        self.locals: dict[object, Any] = {}
        self.run_id = order.run_id
        self.task = order.task
        self.attempt = order.attempt
        self.max_attempts = order.max_attempts
        self.epoch = order.epoch
        self.queue = order.queue
        self.concurrency_key = order.concurrency_key
        self.version = order.version
        self.tags = order.tags
        self.idempotency_key = order.idempotency_key
        self.parent_id = order.parent_id
        self.root_id = order.root_id
        self.depth = order.depth
        self.is_test = order.is_test
        self.created_at = order.created_at

    def __repr__(self) -> str:
        return f"<Context {self.run_id} of {self.task}, attempt {self.attempt}>"

    @property
    def metadata(self) -> Any:
        """The metadata given at trigger, or None."""
        return None if self._order.metadata is None else _decode(self._order.metadata)

    @property
    def payload(self) -> Any:
        """The payload object, or a dict of the arguments; decoded anew at each reading."""
        return self._payload(self._order.payload)

    def read_payload(self, text: str) -> Any:
        """JSON text as a payload of the task. Raises: InvalidPayload."""
        return self._payload(text)

    @property
    def journal(self) -> Journal:
        """What the run has behind it. Raises: Misplaced where nothing can be recorded."""
        journal = self._journal
        if journal is None:
            if self.open_journal is None:
                raise Misplaced(
                    f"Run {self.run_id} has no journal here, so steps and waits cannot be kept; "
                    "use them in the body of the task."
                )
            journal = self._journal = self.open_journal(self)
        return journal

    @property
    def opened(self) -> Journal | None:
        """The journal if the code has needed it so far."""
        return self._journal

    @property
    def replaying(self) -> bool:
        """Whether the code is still where an earlier worker or attempt has been.

        Log lines, metadata and tags of that part are there already; they are dropped meanwhile. The
        body of a step is executed at all only when it has to be, whatever other branches do.
        """
        branch = current_branch.get()
        if branch is not None and branch.step is not None:
            return False
        if self._journal is not None:
            return self._journal.replaying
        return (
            bool(self._order.journal) and self.open_journal is not None and self.journal.replaying
        )

    @property
    def traceparent(self) -> str:
        """The W3C trace context of this attempt, to pass on in a header of that name. Its trace is
        that of the HTTP request which triggered the run or its root, if that had one.
        """
        return self.within(tracing.span_id(self.run_id, tracing.attempt_key(self.attempt)))

    def within(self, span: str) -> str:
        """The W3C trace context of that span of this run."""
        return tracing.below(self._order.trace, self.root_id or self.run_id, span)

    @property
    def deadline(self) -> datetime | None:
        """When `max_duration` is used up if the run stays active, in UTC; None without one."""
        budget = self._budget()
        if budget is None:
            return None
        return datetime.fromtimestamp(self._started_wall + budget, UTC)

    def remaining(self) -> float | None:
        """Seconds until `max_duration` is used up, never negative; None without one."""
        budget = self._budget()
        if budget is None:
            return None
        return max(0.0, budget - (time.monotonic() - self._started))

    def paused(self, seconds: float) -> None:
        """The run was parked for so long, which does not count as active. For workers."""
        self._started += seconds
        self._started_wall += seconds

    def _budget(self) -> float | None:
        if self._order.max_duration_ms is None:
            return None
        return (self._order.max_duration_ms - self._order.active_ms) / 1000


running: Final[ContextVar[Context | None]] = ContextVar("mainspring_run", default=None)


def current() -> Context:
    """The context of the run that this code belongs to. Raises: Misplaced outside a run."""
    context = running.get()
    if context is None:
        raise Misplaced(
            "No run is being executed here; `current()` works inside a task and what it calls. "
            "Threads you start yourself need `contextvars.copy_context().run(...)`."
        )
    return context
