"""The runs that a session holds, and which orders it must never obey (again). No execution."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Final

from mainspring.sdk.context import Context
from mainspring.sdk.registry import Executable
from mainspring.wire.worker import Execute
from mainspring.worker.durable import Durable
from mainspring.worker.lines import Lines

REMEMBERED: Final = 16_384
"""How many runs of the past are certainly remembered; at most twice as many are."""


class Stop(Enum):
    """Why a body is to end before its time."""

    CANCELED = "canceled"
    TIMED_OUT = "timed_out"
    SILENT = "silent"
    """Nothing of it may be reported: fenced, taken back, or its session is over."""


class Held:
    """One attempt that this session has, in a slot or parked.

    Attributes:
        apart: whether it executes in a process of its own.
        work: the asyncio task that drives it; None for a plain function without hooks.
        begun: whether the body was entered; until then it can be taken back.
        since: monotonic seconds of that moment.
        stop: why it must end; None as long as it may run.
        grace_s: how long it may take to end then.
        over: its end has been reported, or never will be.
        thread: the thread that is inside the body now.
        timers: to be canceled when it is over.
        budget: ends the body when its max_duration is used up.
        spans: how many its code has made.
        port: what its journal speaks through; None as long as it has done nothing durable.
        lines: what it has printed; None for a silent run.
    """

    __slots__ = (
        "apart", "begun", "budget", "ctx", "grace_s", "lines", "order", "over", "port", "since",
        "spans", "stop", "task", "thread", "timers", "work",
    )  # fmt: skip

    def __init__(self, order: Execute, task: Executable, ctx: Context) -> None:
        self.order = order
        self.task = task
        self.ctx = ctx
        self.apart = False
        self.work: asyncio.Task[None] | None = None
        self.begun = False
        self.since = 0.0
        self.stop: Stop | None = None
        self.grace_s = 0.0
        self.over = False
        self.thread: int | None = None
        self.timers: list[asyncio.TimerHandle] | None = None
        self.budget: asyncio.TimerHandle | None = None
        self.lines: Lines | None = None
        self.spans = 0
        self.port: Durable | None = None

    @property
    def lost(self) -> bool:
        """Whether nothing of it counts any more."""
        return self.over or self.stop is Stop.SILENT

    def watch(self, timer: asyncio.TimerHandle) -> None:
        """Cancel the timer when the attempt is over."""
        if self.timers is None:
            self.timers = []
        self.timers.append(timer)

    def unwatch_budget(self) -> None:
        """Its max_duration is not counted down any more."""
        if self.budget is not None:
            self.budget.cancel()
            self.budget = None


class Slots:
    """Attempts by run id, and the highest epoch of each run seen lately.

    Attributes:
        held: attempts that execute.
        parked: those that wait without a slot.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held: dict[str, Held] = {}
        self.parked: dict[str, Held] = {}
        self._recent: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._refused: dict[str, int] = {}

    def admit(self, run_id: str, epoch: int) -> bool:
        """Whether this claim is new; a repeated, older or refused one is not. Remembers it."""
        recent = self._recent
        known = recent.get(run_id)
        if known is None:
            known = self._before.get(run_id, -1)
        if epoch <= known:
            return False
        if len(recent) >= REMEMBERED:
            self._before = recent
            self._recent = recent = {}
        recent[run_id] = epoch
        return True

    def refuse(self, run_id: str, epoch: int) -> None:
        """Remember that this claim was given back, so that the same question gets this answer."""
        if len(self._refused) >= REMEMBERED:
            self._refused.clear()
        self._refused[run_id] = epoch

    def is_refused(self, run_id: str, epoch: int) -> bool:
        """Whether this claim was given back before."""
        return self._refused.get(run_id) == epoch

    def of(self, run_id: str, epoch: int) -> Held | None:
        """The attempt of exactly that claim, executing or parked, if this session has it."""
        run = self.held.get(run_id) or self.parked.get(run_id)
        return run if run is not None and run.order.epoch == epoch else None

    def owner(self, ctx: Context) -> Held | None:
        """The attempt that a context belongs to; None once that has ended or was taken away."""
        return self.of(ctx.run_id, ctx.epoch)

    def park(self, run: Held) -> None:
        """It waits; its slot can be used by another."""
        self.held.pop(run.order.run_id, None)
        self.parked[run.order.run_id] = run

    def unpark(self, run: Held) -> None:
        """It executes again."""
        self.parked.pop(run.order.run_id, None)
        self.held[run.order.run_id] = run

    def free(self, run: Held) -> None:
        """The attempt is over; its slot can be used by another."""
        run.over = True
        run.unwatch_budget()
        if run.timers is not None:
            for timer in run.timers:
                timer.cancel()
        run_id = run.order.run_id
        if self.held.get(run_id) is run:
            del self.held[run_id]
        elif self.parked.get(run_id) is run:
            del self.parked[run_id]

    def pairs(self) -> list[tuple[str, int]]:
        """(run id, epoch) of everything that executes."""
        return [(run.order.run_id, run.order.epoch) for run in self.held.values()]

    def parked_pairs(self) -> list[tuple[str, int]]:
        """(run id, epoch) of everything that waits without a slot, or has asked to."""
        return [(run.order.run_id, run.order.epoch) for run in self.parked.values()]
