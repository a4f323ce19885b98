"""A run that was triggered, as its caller holds it: id, result and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

import msgspec

from mainspring.errors import ResultTimeout, RunCanceled, RunFailed
from mainspring.model.duration import Duration, milliseconds
from mainspring.model.run import Run, RunError, Status
from mainspring.sdk import ends, portal, subscribe
from mainspring.sdk.failures import of_child
from mainspring.sdk.options import Delay, delay
from mainspring.sdk.transport import Transport, ask
from mainspring.wire.calls import AwaitRun, AwaitRuns, CancelRun, RescheduleRun, Retrieve

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

SLICE_MS: Final = 30_000
"""How long one request waits for a run's end, so that no connection is idle for longer."""


class Handle(Generic[R_co]):
    """A run by its id. `cached` says that a key or debounce gave a run that was there before.

    Cheap to make and to keep; nothing is held open. `my_task.handle(run_id)` makes one from a
    stored id.
    """

    __slots__ = ("_decode", "_transport", "cached", "id")

    def __init__(
        self,
        id_: str,
        decode: Callable[[str | None], R_co],
        *,
        cached: bool = False,
        transport: Transport | None = None,
    ) -> None:
        self.id = id_
        self.cached = cached
        self._decode = decode
        self._transport = transport

    def __repr__(self) -> str:
        return f"<Handle {self.id}>"

    async def result(self, timeout: Duration | None = None) -> R_co:
        """Wait for the end of the run and return what the task returned.

        The code of a run waits durably: after a second it gives its slot back, a replay gets the
        same answer, and a time-out is an entry of the journal. In the body of a step, in hooks
        around waits, and for a run of another server the slot is kept.

        Args:
            timeout: at most this long (seconds, timedelta or text); None waits for ever.

        Raises:
            RunFailed: it ended without success; `details` is the stored `RunError`.
            RunCanceled: it was canceled; a `RunFailed` too.
            ResultTimeout: it has not ended in time. It goes on; ask again.
            Deadlock: it cannot end before the run does whose code asks.
        """
        journal = ends.journal_here(self._transport)
        if journal is not None:
            outcome = await ends.outcome(journal, self.id, timeout)
            if outcome.status != "completed":
                raise of_child(outcome)
            return self._decode(outcome.output)
        run = await final(self.id, timeout, self._transport, whole=False)
        if run.status is not Status.COMPLETED:
            raise failure(run)
        return self._decode(run.output)

    async def poll(self, timeout: Duration | None = None) -> Run:
        """The run once it has ended, however it did; waits as `result`. Raises: ResultTimeout."""
        journal = ends.journal_here(self._transport)
        if journal is not None:
            return await ends.final(journal, self.id, timeout)
        return await final(self.id, timeout, self._transport)

    def subscribe(self) -> AsyncIterator[Run]:
        """The run as it is now, then after each change, until it has ended; as `runs.subscribe`."""
        return subscribe.runs(AwaitRuns(self.id), self._transport)

    async def run(self) -> Run:
        """The run as it is now."""
        return await ask(Retrieve(self.id), Run, self._transport)

    async def status(self) -> Status:
        """How the run stands now."""
        return (await self.run()).status

    async def cancel(self) -> Run:
        """Ask for the run's end; harmless on a finished one."""
        return await ask(CancelRun(self.id), Run, self._transport)

    async def reschedule(self, delay: Delay) -> Run:
        """Give a delayed run another time. Raises: Conflict when it is not delayed any more."""
        return await ask(reschedule_request(self.id, delay), Run, self._transport)

    def result_sync(self, timeout: Duration | None = None) -> R_co:
        """`result` for blocking code."""
        return self._blocking(self.result(timeout))

    def poll_sync(self, timeout: Duration | None = None) -> Run:
        """`poll` for blocking code."""
        return self._blocking(self.poll(timeout))

    def _blocking(self, work: Coroutine[Any, Any, R]) -> R:
        journal = ends.journal_here(self._transport)
        return portal.run(work) if journal is None else journal.block(work)

    def run_sync(self) -> Run:
        """`run` for blocking code."""
        return portal.run(self.run())

    def status_sync(self) -> Status:
        """`status` for blocking code."""
        return portal.run(self.status())

    def cancel_sync(self) -> Run:
        """`cancel` for blocking code."""
        return portal.run(self.cancel())

    def reschedule_sync(self, delay: Delay) -> Run:
        """`reschedule` for blocking code."""
        return portal.run(self.reschedule(delay))


async def final(
    run_id: str, timeout: Duration | None, transport: Transport | None = None, *, whole: bool = True
) -> Run:
    """The run once it is final, with payload, metadata and tags if `whole`.

    Raises: ResultTimeout.
    """
    limit = None if timeout is None else milliseconds(timeout, "timeout")
    started = time.monotonic()
    left = SLICE_MS
    while True:
        if limit is not None:
            left = max(0, limit - int((time.monotonic() - started) * 1000))
        run = await ask(AwaitRun(run_id, min(left, SLICE_MS), whole), Run, transport)
        if run.status.is_final:
            return run
        if limit is not None and (time.monotonic() - started) * 1000 >= limit:
            raise ResultTimeout(
                f"Run {run_id} of task {run.task} is still {run.status} after {timeout} seconds; "
                "it goes on, ask again with the same handle.",
                details={"run_id": run_id, "status": str(run.status)},
            )


def failure(run: Run) -> RunFailed:
    """What a run that ended without success means for the one who waited for it."""
    if run.status is Status.CANCELED:
        return RunCanceled(f"Run {run.id} of task {run.task} was canceled.", details=run.error)
    error = run.error or RunError("no error was stored")
    said = f"{error.name}: {error.message}" if error.message else error.name
    return RunFailed(
        f"Run {run.id} of task {run.task} ended as {run.status} in attempt {run.attempt}: {said}",
        details=error,
    )


def reschedule_request(run_id: str, to: Delay) -> RescheduleRun:
    """The request that gives a delayed run another time. Raises: InvalidOptions."""
    delay_ms, delay_until = delay(to)
    return RescheduleRun(run_id, delay_ms, delay_until)


_plain: Final = msgspec.json.Decoder().decode


def plain(text: str | None) -> Any:
    """Stored JSON as builtins; for handles that know no type."""
    return None if text is None else _plain(text)
