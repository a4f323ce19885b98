"""Runs whose code waits without a slot: when they leave it, how they come back, and when they are
let go of. What they wait for is the engine's business.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from mainspring.clock import Clock
from mainspring.sdk import branches, hooks
from mainspring.wire.worker import Dropped, Park, Refused, Resolved, Resume
from mainspring.worker.durable import Durable, Voice
from mainspring.worker.slots import Held, Slots, Stop
from mainspring.worker.threads import Threads

THREADS: Final = 1_000
"""Threads that may stand still in parked runs; each gets a replacement."""
SOON: Final = 2
"""Iterations of the loop in which a run is looked at, before that is left to a timer."""
FIRST_LOOK_S: Final = 0.001
LAST_LOOK_S: Final = 1.0

log = logging.getLogger("mainspring.worker")


class Graveyard:
    """Coroutines that never go on, of runs that others have. They are kept, because Python would
    run their `finally` blocks if they were collected; the process has to end in time.
    """

    def __init__(self) -> None:
        self._runs: set[Held] = set()

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Held) -> None:
        """Keep the run, as long as its loop does not end its code."""
        self._runs.add(run)
        if run.work is not None:
            run.work.add_done_callback(lambda work: self._runs.discard(run))


graveyard: Final = Graveyard()


class Parking:
    """Parks and resumes the runs of one session; on the event loop only.

    Args:
        restart: called with a run that executes again, to watch its remaining time.

    Attributes:
        draining: whether runs that park are given away at once.
        stirred: called after each change of how many are parked.
    """

    def __init__(
        self,
        slots: Slots,
        threads: Threads,
        voice: Voice,
        clock: Clock,
        context: Callable[[Held], contextvars.Context],
        restart: Callable[[Held], None],
    ) -> None:
        self.draining = False
        self.stirred: Callable[[], None] = lambda: None
        self._slots = slots
        self._threads = threads
        self._voice = voice
        self._clock = clock
        self._context = context
        self._restart = restart
        self._due: list[Held] = []
        self._lent: set[Held] = set()
        self._hooks: set[asyncio.Task[None]] = set()

    @property
    def kept(self) -> int:
        """Coroutines that wait here, and those that never go on."""
        return len(self._slots.parked) + len(graveyard)

    @property
    def out_of_threads(self) -> bool:
        """Whether further parked threads would not be replaced."""
        return len(self._lent) >= THREADS

    def look(self, run: Held) -> None:
        """See at the end of this iteration whether all code of the run waits."""
        port = run.port
        if port is None:
            return
        port.looks = 0
        if port.later is not None:
            port.later.cancel()
            port.later = None
        if not port.due:
            port.due = True
            self._due.append(run)
            self._voice.arm()

    def decide(self) -> bool:
        """Park the runs that can be; whether some have to be looked at in the next iteration."""
        due, self._due = self._due, []
        for run in due:
            port, journal = run.port, run.ctx.opened
            if port is None or journal is None:
                continue
            port.due = False
            if run.over or run.stop is not None or port.parked or port.hooked:
                continue
            waits = port.waits
            if waits is None or (waits and not branches.blocked(journal)):
                self._later(run, port)
            elif waits and port.told is None and hooks.has_wait_hooks(run.task):
                port.hooked, port.told = True, waits
                self._spawn(run, self._before_wait(run, port, waits))
            elif waits:
                self.park(run, [wait.key for wait in waits])
        return bool(self._due)

    def park(self, run: Held, keys: list[str]) -> None:
        """Give its slot back until one of these waits ends; it must have a port."""
        port, order = run.port, run.order
        assert port is not None
        port.spent += self._clock.monotonic() - run.since
        port.rested = time.monotonic()
        port.parked = keys
        run.unwatch_budget()
        if run.thread is not None and not self.out_of_threads:
            self._lent.add(run)  # another one works in place of that which stands still
            self._threads.limit += 1
        port.pour()
        self._voice.post(Park(order.run_id, order.epoch, keys, int(port.spent * 1000)))
        self._slots.park(run)
        port.said = said = self._voice.durable()
        if self.draining:
            said.add_done_callback(lambda said: self._give_away(run, said))
        self.stirred()

    def wake(self, run: Held) -> None:
        """Count a parked run as executing again, with the time that is left to it."""
        port = run.port
        if port is None or not port.parked:
            return
        port.parked, port.said = [], None
        self._slots.unpark(run)
        run.since = self._clock.monotonic()
        run.ctx.paused(time.monotonic() - port.rested)
        if run in self._lent:
            self._lent.discard(run)
            self._threads.limit -= 1
        self._restart(run)
        self.stirred()

    def resume(self, order: Resume) -> Held | None:
        """Let a run go on as the new epoch; None, and it is refused, when it is not parked here."""
        slots, run_id, epoch = self._slots, order.run_id, order.epoch
        if slots.of(run_id, epoch) is not None:
            return None  # a repeat
        run = slots.of(run_id, order.before)
        if not slots.admit(run_id, epoch) or run is None or run.port is None or run.stop:
            stale = slots.parked.get(run_id)
            if stale is not None and stale is not run:
                self.bury(stale)
            slots.refuse(run_id, epoch)
            self._voice.post(Refused(run_id, epoch, True))
            return None
        self.wake(run)
        run.order.epoch = run.ctx.epoch = epoch
        run.port.spent = 0.0
        self._tell(run, run.port, order)
        return run

    def resolved(self, order: Resolved) -> None:
        """Outcomes of waits. A run that was about to be parked in them keeps its slot: they came
        first. One that is parked in others has known them: they are told again after a new link.
        """
        run = self._slots.of(order.run_id, order.epoch)
        if run is None:
            # it counts as executing here, and is not: without this word it would for ever
            self._voice.post(Refused(order.run_id, order.epoch, True))
        elif run.port is not None:
            parked = run.port.parked
            if not parked or any(entry.key in parked for entry in order.entries):
                self.wake(run)
                self._tell(run, run.port, order)

    def bury(self, run: Held) -> None:
        """Keep the code of a parked run from ever going on, without ending it."""
        run.stop = Stop.SILENT
        self._slots.free(run)
        if run.port is not None and run.port.relay is not None:
            run.port.relay.kill()
        else:
            graveyard.add(run)
        self.stirred()

    def give_away(self) -> None:
        """Tell the engine that the runs that are parked for certain are not kept here any more."""
        for run in list(self._slots.parked.values()):
            if run.port is not None and run.port.said is not None and run.port.said.done():
                self._give_away(run, run.port.said)

    def let_go(self, run: Held, said: asyncio.Future[None]) -> None:
        """The same for one run, if it has waited ever since `said`, as soon as that is certain."""
        if run.port is not None and run.port.said is said:
            said.add_done_callback(lambda said: self._give_away(run, said))

    def _give_away(self, run: Held, said: asyncio.Future[None]) -> None:
        if run.port is None or run.port.said is not said or run.over:
            return
        if not said.cancelled() and said.exception() is None:
            self._voice.post(Dropped([(run.order.run_id, run.order.epoch)]))
            self.bury(run)

    def _tell(self, run: Held, port: Durable, order: Resume | Resolved) -> None:
        """Give outcomes to the code, after the hooks that come before that."""
        entries = order.entries
        if port.relay is not None:
            port.relay.tell([order])
        elif port.hooked:
            port.held_back += entries
        elif port.told is not None:
            port.hooked = True
            port.held_back += entries
            self._spawn(run, self._after_wait(run, port))
        else:
            port.tell(entries)
            self.look(run)

    async def _before_wait(self, run: Held, port: Durable, waits: list[hooks.Waiting]) -> None:
        try:
            await hooks.before_wait(run.task, run.ctx, waits)
        finally:
            if port.held_back:
                await self._after_wait(run, port)
            else:
                port.hooked = False
                self.look(run)

    async def _after_wait(self, run: Held, port: Durable) -> None:
        try:
            await hooks.after_wait(run.task, run.ctx, port.told or [])
        finally:
            port.hooked, port.told = False, None
            entries, port.held_back = port.held_back, []
            port.tell(entries)
            self.look(run)

    def _spawn(self, run: Held, work: Coroutine[Any, Any, None]) -> None:
        task = self._voice.loop.create_task(work, context=self._context(run))
        self._hooks.add(task)
        task.add_done_callback(self._hooks.discard)

    def _later(self, run: Held, port: Durable) -> None:
        """Code of the run goes on beside its waits: look again, ever more rarely."""
        port.looks += 1
        if port.looks <= SOON:
            self._again(run, port)
        else:
            delay = min(FIRST_LOOK_S * 2 ** min(port.looks - SOON, 20), LAST_LOOK_S)
            port.later = self._voice.loop.call_later(delay, self._again, run, port)

    def _again(self, run: Held, port: Durable) -> None:
        port.later = None
        if not port.due:
            port.due = True
            self._due.append(run)
            self._voice.arm()
