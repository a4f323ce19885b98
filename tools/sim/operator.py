"""Simulated people: they set queues, environments and schedules, act in bulk, and look at things.
What is set is checked by the ledger as long as it is known to be in force.
"""

from __future__ import annotations

import asyncio
from typing import Final

from mainspring.model.run import RunFilter
from mainspring.wire import calls
from mainspring.wire.deploying import Promote
from mainspring.wire.observing import CountRuns, FindLines, ListBatches, ListErrors, ListWorkers
from mainspring.wire.operating import (
    AbortBulk,
    CurrentDeployment,
    DeleteSchedule,
    InspectRun,
    ListBulks,
    ListDeployments,
    ListSchedules,
    NextTicks,
    PauseEnvironment,
    RunSchedule,
    SetSchedule,
    StartBulk,
    SwitchSchedule,
    TraceRun,
)
from tools.sim.asker import Asker, Unanswered
from tools.sim.ledger import EVERYTHING
from tools.sim.tasks import QUEUES

SETTLED_S: Final = 30.0
"""After which owners must have caught up with their schedules."""


class Operator(Asker):
    """Somebody who operates an environment."""

    async def pause(self) -> None:
        """Pause a queue for a while. Nobody else does meanwhile."""
        name = self.random.choice(("free", "narrow", "rated"))
        await self._paused(
            name,
            calls.PauseQueue(name, paused=True),
            calls.PauseQueue(name, paused=False),
        )

    async def pause_all(self) -> None:
        """The same with the whole environment."""
        await self._paused(
            EVERYTHING, PauseEnvironment(paused=True), PauseEnvironment(paused=False)
        )

    async def _paused(self, name: str, on: calls.Request, off: calls.Request) -> None:
        if name in self._ledger.setting:
            return
        self._ledger.setting.add(name)
        try:
            if await self._set(on, name):
                # what was decided before may carry a later time, if the clock was set back since
                world = self._network.world
                self._ledger.paused[name] = max(world.wall_ms(), world.latest_ms)
            await asyncio.sleep(self.random.choice((0.5, 4.0)))
            self._ledger.paused.pop(name, None)
            await self._set(off, name)
        finally:
            self._ledger.setting.discard(name)

    async def limit(self) -> None:
        """Give a queue another limit, which counts from the question on."""
        name = self.random.choice(("narrow", "single"))
        if name in self._ledger.setting:
            return
        self._ledger.setting.add(name)
        limit = self.random.choice((1, 3, QUEUES[name].limit or 1))
        self._ledger.may_limit(name, limit)
        try:
            if await self._set(calls.SetQueue(name, limit), name):
                self._ledger.limited(name, limit)
        finally:
            self._ledger.setting.discard(name)

    async def _set(self, request: calls.Request, name: str) -> bool:
        """Whether it is in force for certain. A repeat may come to be in force at any time later,
        because settings are not fenced: then nothing is expected of that queue any more.
        """
        try:
            if await self.ask(request, 1) is not None:
                return name not in self._ledger.unsure
        except Unanswered:
            self._ledger.unsure.add(name)
            await self.ask(request)
        return False

    async def promote(self) -> None:
        """Let new runs get another version of the code, or any."""
        await self.ask(Promote(self.random.choice(("v1", "v2", ""))))

    async def restore(self) -> None:
        """Let everything go on and no schedule make more, after all that anybody has asked for."""
        while self._ledger.setting:  # noqa: ASYNC110 - nobody tells when the last one is done
            await asyncio.sleep(1)
        await asyncio.sleep(2)
        for name in ("free", "narrow", "rated"):
            self._ledger.unsure.add(name)
            await self.ask(calls.PauseQueue(name, paused=False), 100)
        self._ledger.unsure.add(EVERYTHING)
        await self.ask(PauseEnvironment(paused=False), 100)
        await self.ask(Promote(""), 100)
        rows = self._ledger.ticks.rows
        if rows:
            await asyncio.sleep(SETTLED_S)
            self._ledger.ticks.check_in_time()
        for schedule_id in list(rows):
            await self.ask(SwitchSchedule(schedule_id, active=False), 100)

    # schedules

    async def schedule(self) -> None:
        """Make or change a schedule, switch it, run it, or drop it; there are two at most."""
        rows = self._ledger.ticks.rows
        name = f"schedules {self._number()}"
        self._ledger.setting.add(name)
        try:
            if len(rows) < 2 or self.random.random() < 0.3:
                cron = f"@every {self.random.choice((2, 5, 15))}s"
                key, catch_up = self.random.choice("pq"), self.random.choice(CATCH_UP)
                await self.ask(SetSchedule("tick", cron, dedup_key=key, catch_up=catch_up))
            else:
                id_, active = self.random.choice(list(rows)), self.random.random() < 0.5
                what = (SwitchSchedule(id_, active), RunSchedule(id_), DeleteSchedule(id_))
                await self.ask(self.random.choice(what))
        finally:
            self._ledger.setting.discard(name)

    # in bulk

    async def in_bulk(self) -> None:
        """Cancel or replay several runs."""
        chance = self.random.random()
        if chance < 0.2:
            wanted = RunFilter(task=(self.random.choice(("free", "single")),))
            await self.ask(StartBulk("cancel", filter=wanted, request_key=self._number()))
            return
        kind = "cancel" if chance < 0.6 else "replay"
        known = self._ledger.unfinished() if kind == "cancel" else list(self._ledger.done)
        if ids := tuple(known[-self.random.choice((1, 3)) :]):
            await self.ask(StartBulk(kind, run_ids=ids, request_key=self._number()))

    async def abort_bulk(self) -> None:
        if self._ledger.bulks:
            await self.ask(AbortBulk(self.random.choice(list(self._ledger.bulks))))

    # what they look at

    async def browse(self) -> None:
        """Look at something; whatever state things are in, it can be shown."""
        since = self._network.world.wall_ms() - 60_000
        found: list[calls.Request] = [
            calls.ListQueues(), calls.ListTasks(), calls.ListTokens(), ListWorkers(), ListErrors(),
            ListBatches(), ListBulks(), ListSchedules(), ListDeployments(), CurrentDeployment(),
            CountRuns(since), FindLines(text="a"), NextTicks(cron="@every 10s"),
        ]  # fmt: skip
        run_id = self._some()
        if run_id is not None:
            found += [
                calls.ExplainRun(run_id), calls.ListJournal(run_id), calls.ListLogs(run_id),
                calls.FindRun(run_id), calls.ReadStream(run_id, "out"), InspectRun(run_id),
                TraceRun(run_id), calls.GetOutcomes([run_id]),
            ]  # fmt: skip
        for request in self.random.sample(found, 3):
            await self.ask(request)


CATCH_UP: Final = ("latest", "none", "all")
