"""An engine on a real store with a manual clock, and workers that say exactly what a test wants."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from mainspring.clock import ManualClock
from mainspring.engine.audit import audit
from mainspring.engine.connect import Connection
from mainspring.engine.engine import Engine
from mainspring.engine.owner import Owner
from mainspring.errors import CommitRejected, FencedOut, UnknownOutcome
from mainspring.model.run import Debounce, Run, RunFilter, RunPage, TriggerOptions, TriggerRequest
from mainspring.model.task import QueueSpec, TaskSpec, default_queue
from mainspring.store.batching import Batches
from mainspring.store.changes import Changes, Claimed
from mainspring.store.leasing import Beat
from mainspring.store.objects import Objects
from mainspring.store.past import Past
from mainspring.store.protocol import Catalog, EnvironmentRow, Live, Runs, Shards, Store
from mainspring.store.streaming import Streams
from mainspring.store.variables import Variables, Vault
from mainspring.store.vault import AesVault
from mainspring.store.waiting import Waitpoints, Waits
from mainspring.wire import calls
from mainspring.wire.worker import (
    PROTOCOL,
    Ack,
    Answer,
    Call,
    Cancel,
    Dropped,
    Entry,
    Execute,
    Fenced,
    Finished,
    Frame,
    Goodbye,
    Hello,
    Park,
    Record,
    Refused,
    Resolved,
    Resume,
    Revoke,
    Started,
    ToWorker,
    Wait,
    Welcome,
)

DAY = 86_400_000

WORK = TaskSpec("work", default_queue("work"))

KEY = base64.b64encode(bytes(range(32))).decode()


class FaultyShards:
    """The real shards, whose commits can be held back, refused, or end in doubt.

    Attributes:
        next: how the next commits end, first first: "ok", "lost" (doubtful, not written),
            "kept" (doubtful, written), "refused".
        refuse: commits for which it is true are refused, whatever else.
        hold: commits for which it is true never begin; their server has to crash.
        open: clear it to hold commits back before they begin.
        before_take: done once while the next taking of a shard waits, as for a commit in flight.
    """

    def __init__(self, inner: Shards) -> None:
        self.inner = inner
        self.next: deque[str] = deque()
        self.refuse: Callable[[Changes], bool] = lambda changes: False
        self.hold: Callable[[Changes], bool] = lambda changes: False
        self.held = asyncio.Event()
        self.buried = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self.changes: list[Changes] = []
        self.before_take: Callable[[], Awaitable[Any]] | None = None
        self._looks = asyncio.Condition()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def commit(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        self.entered.set()
        if self.hold(changes):
            self.held.set()
            await self.buried.wait()
            raise FencedOut("This server is dead (made so by a test).")
        await self.open.wait()
        self.changes.append(changes)
        if self.refuse(changes):
            raise CommitRejected("The database refused a row (made to by a test).")
        end = self.next.popleft() if self.next else "ok"
        if end == "lost":
            raise UnknownOutcome("The connection broke before the commit (made to by a test).")
        if end == "refused":
            raise CommitRejected("The database refused a row (made to by a test).")
        claimed = await self.inner.commit(shard_id, epoch, changes)
        if end == "kept":
            raise UnknownOutcome("The connection broke after the commit (made to by a test).")
        return claimed

    async def take_from(self, shard_id: int, server_id: str, former: str) -> int | None:
        before, self.before_take = self.before_take, None
        if before is not None:
            await before()
        return await self.inner.take_from(shard_id, server_id, former)

    async def beats(self) -> list[Beat]:
        beats = await self.inner.beats()
        async with self._looks:
            self._looks.notify_all()
        return beats

    async def looked_at(self, times: int) -> None:
        """Until somebody has looked at the beats of all servers so often."""
        for _ in range(times):
            async with self._looks:
                await self._looks.wait()


class Mortal:
    """The shards, or leases, as one engine reaches them, until it is dead: nothing gets through."""

    def __init__(self, inner: Any, host: Mortal | None = None) -> None:
        self.dead = False
        self._inner = inner
        self._host = host or self

    def __getattr__(self, name: str) -> Any:
        if self._host.dead:
            raise FencedOut("This server is dead (made so by a test).")
        return getattr(self._inner, name)


class MortalStore:
    """A store as one engine reaches it."""

    def __init__(self, store: FaultyStore) -> None:
        self.shards = Mortal(store.shards)
        self.leases = Mortal(store.inner.leases, self.shards)
        self.live, self.runs, self.catalog = store.live, store.runs, store.catalog
        self.waits, self.waitpoints = store.waits, store.waitpoints
        self.operations = store.inner.operations
        self.access = store.inner.access
        self.batches = store.batches
        self.objects, self.variables = store.objects, store.variables
        self.streams, self.past = store.streams, store.past


class FaultyStore:
    """A real store with `FaultyShards`."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.shards = FaultyShards(inner.shards)

    @property
    def live(self) -> Live:
        return self.inner.live

    @property
    def waits(self) -> Waits:
        return self.inner.waits

    @property
    def runs(self) -> Runs:
        return self.inner.runs

    @property
    def catalog(self) -> Catalog:
        return self.inner.catalog

    @property
    def waitpoints(self) -> Waitpoints:
        return self.inner.waitpoints

    @property
    def batches(self) -> Batches:
        return self.inner.batches

    @property
    def objects(self) -> Objects:
        return self.inner.objects

    @property
    def variables(self) -> Variables:
        return self.inner.variables

    @property
    def streams(self) -> Streams:
        return self.inner.streams

    @property
    def past(self) -> Past:
        return self.inner.past

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()


class House:
    """An engine under test, its environment, and everything that a caller does with it."""

    def __init__(self, inner: Store, slug: str = "dev") -> None:
        self.slug = slug
        self.store = FaultyStore(inner)
        self.faults = self.store.shards
        self.clock = ManualClock()
        self.objects = inner.objects
        self.keys = [KEY]
        self.may_differ = False
        self.engines: list[Engine] = []
        self.engine: Engine
        self.env: EnvironmentRow
        self.workers: list[Worker] = []

    async def start(self, server_id: str = "server-1") -> Engine:
        """Start an engine, as the only one or after a crash of the one before."""
        self.engine = self.new_engine(server_id)
        await self.engine.start(loops=False)
        self.env = await self.engine.environment(self.slug)
        return self.engine

    def open_vault(self) -> Vault:
        """Seals variables with `keys`, the first of which counts."""
        return AesVault(lambda: self.keys)

    def new_engine(self, server_id: str) -> Engine:
        """Another engine on the same database, not started."""
        bits = random.Random(len(self.engines))
        store = MortalStore(self.store)
        engine = Engine(
            store, self.objects, self.clock, bits, server_id, open_vault=self.open_vault
        )
        self.engines.append(engine)
        return engine

    async def take_over(self, server_id: str) -> None:
        """Another server takes the shard, though the one before is alive."""
        await self.faults.leave(self.engine.server_id)
        await self.start(server_id)

    async def crash(self) -> None:
        """The server dies with everything it knows, and another takes its place.

        The fence would stop what it still commits; everything else of it is dead.
        """
        self.engine.store.shards.dead = True
        for worker in self.workers:
            worker.drop()
        await self.start()

    async def stop(self) -> None:
        self.faults.buried.set()
        for engine in self.engines:
            for owner in engine.owners.values():
                assert self.may_differ or not owner.rounds.differences, "memory and rows differed"
        for engine in reversed(self.engines):
            if engine.store.shards.dead:
                for owner in engine.owners.values():
                    await owner.stop()
            else:
                await engine.stop()
        self.engines.clear()

    @property
    def owner(self) -> Owner:
        return self.engine.owners[self.env.shard_id]

    async def settle(self) -> None:
        """Until the engine has nothing left to do at this moment."""
        await self.engine.idle()

    async def breathe(self) -> None:
        """Let everything run that can run at once, without waiting for the engine."""
        for _ in range(20):
            await asyncio.sleep(0)

    def limited_environment(self, limit: int) -> EnvironmentRow:
        return msgspec.structs.replace(self.env, limit=limit)

    async def advance(self, ms: int) -> None:
        """Move the clock on and let happen what is due."""
        self.clock.advance(ms)
        await self.engine.tick()
        await self.settle()

    async def live(self, ms: int) -> None:
        """Let time pass as it does for a running server, which looks around all the time."""
        for step in range(0, ms, 4_000):
            await self.advance(min(4_000, ms - step))

    async def ask(self, request: calls.Request, run_id: str | None = None) -> Any:
        return await self.engine.answer(self.env, request, run_id)

    async def trigger(
        self, payload: Any = None, *, task: str = "work", parent: str | None = None, **options: Any
    ) -> str:
        """Trigger one run; its id."""
        return (await self.answer(payload, task=task, parent=parent, **options)).run_id

    async def answer(
        self, payload: Any = None, *, task: str = "work", parent: str | None = None, **options: Any
    ) -> Any:
        """Trigger one run; the whole answer."""
        return (await self.batch([request(payload, task, **options)], parent))[0]

    async def batch(
        self, requests: Sequence[TriggerRequest], parent: str | None = None
    ) -> list[Any]:
        answer = await self.ask(calls.Trigger(list(requests)), parent)
        return list(answer.answers)

    async def run(self, run_id: str) -> Run:
        """The run as a reader sees it."""
        found: Run = await self.ask(calls.Retrieve(run_id))
        return found

    async def journal(self, run_id: str) -> dict[str, calls.JournalLine]:
        """The run's journal and open waits by key."""
        found: calls.Journal = await self.ask(calls.ListJournal(run_id))
        return {line.key: line for line in found.lines}

    async def leftovers(self) -> list[Any]:
        """Open waits of ended runs, and timers of waits that are over."""
        shard_id, waits = self.env.shard_id, self.store.waits
        pages = [await self.page(after=None, limit=100)]
        while pages[-1].next:
            pages.append(await self.page(after=pages[-1].next, limit=100))
        ids = [run.id for page in pages for run in page.runs]
        ends = await self.store.live.known(shard_id, ids)
        edges = await waits.of_runs(shard_id, ids)
        timers = await self.store.live.timers(shard_id, (-1, "", ""), 1 << 60, 10_000)
        due = {(row.due_at, f"wait:{row.key}", row.run_id) for row in edges if row.due_at}
        late = [row for row in timers if row.kind.startswith("wait:")]
        return [edge for edge in edges if ends[edge.run_id]] + [
            row for row in late if (row.fire_at, row.kind, row.run_id) not in due
        ]

    async def status(self, run_id: str) -> str:
        return (await self.run(run_id)).status.value

    async def page(self, **wanted: Any) -> RunPage:
        found: RunPage = await self.ask(calls.ListRuns(RunFilter(**wanted)))
        return found

    async def cancel(self, run_id: str) -> Run:
        found: Run = await self.ask(calls.CancelRun(run_id))
        return found

    async def gate(self, run_id: str) -> str:
        """The word for what holds a run."""
        return str((await self.ask(calls.ExplainRun(run_id))).gate)

    async def counts(self) -> dict[str, int]:
        """How many runs of the environment have each status."""
        counts: dict[str, int] = {}
        after = None
        while True:
            page = await self.page(after=after, limit=100)
            for run in page.runs:
                counts[run.status.value] = counts.get(run.status.value, 0) + 1
            after = page.next
            if after is None:
                return counts

    async def differences(self) -> list[str]:
        """What the owner's memory and the rows disagree about; nothing, at any quiet moment."""
        return await audit(self.owner)

    def worker(self, *tasks: TaskSpec, **options: Any) -> Worker:
        """Connect a worker; without tasks it has the plain one of this file."""
        worker = Worker(self, tasks or (WORK,), number=len(self.workers) + 1, **options)
        self.workers.append(worker)
        worker.connect()
        return worker


class Worker:
    """A session that keeps the orders it is given and answers only when a test says so."""

    def __init__(
        self,
        house: House,
        tasks: Sequence[TaskSpec],
        *,
        number: int,
        slots: int = 10,
        queues: Sequence[QueueSpec] = (),
        version: str = "",
        inside: bool = False,
        obedient: bool = False,
        apart: bool = False,
    ) -> None:
        self.apart = apart
        self.house = house
        self.tasks = list(tasks)
        self.queues = list(queues)
        self.slots = slots
        self.version = version
        self.inside = inside
        self.session_id = f"ses_{number}"
        self.orders: list[ToWorker] = []
        self.runs: dict[str, Execute] = {}
        self.parked: dict[str, Execute] = {}
        self.told: dict[str, dict[str, Entry]] = {}
        self.begun: set[str] = set()
        self.ended: set[tuple[str, int]] = set()
        self.obedient = obedient
        self.sent: list[Frame] = []
        self.acked = 0
        self.links = 0
        self._link: Any = None

    def connect(self) -> None:
        """Open a link (again), as a worker does: what is not acknowledged is sent again."""
        self._link = self.knock()
        for frame in self.sent:
            if frame.number > self.acked:
                self._link.receive(frame)

    def knock(self, *, late: bool = False) -> Connection:
        """Say hello. `late`: with a hello that was under way when a newer link was opened."""
        self.links += not late
        hello = Hello(
            PROTOCOL,
            self.session_id,
            self.slots,
            self.version,
            self.tasks,
            self.queues,
            runs=[(order.run_id, order.epoch) for order in self.runs.values()],
            parked=[(order.run_id, order.epoch) for order in self.parked.values()],
            apart=self.apart,
            link=self.links - late,
        )
        return self.house.engine.connect(self.house.env, hello, self._deliver, inside=self.inside)

    def drop(self) -> None:
        """The link breaks; the process lives on."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def die(self, how: str = "crashed") -> None:
        """The process dies, and its supervisor says so."""
        self._link = None
        self.house.engine.lost(self.house.env, self.session_id, how)

    async def beat(self) -> bool:
        """Say that it lives, and have it written."""
        return await beaten(self.house.engine, self.house.env, self.session_id)

    def send(self, *messages: Any) -> Frame:
        """Send one frame; a dropped link keeps it for later."""
        frame = Frame(len(self.sent) + 1, list(messages))
        self.sent.append(frame)
        if self._link is not None:
            self._link.receive(frame)
        return frame

    def repeat(self, frame: Frame) -> None:
        """The same frame arrives again."""
        self._link.receive(frame)

    def begin(self, *run_ids: str) -> None:
        self.begun.update(run_ids)
        self.send(Started([(run_id, self.runs[run_id].epoch) for run_id in run_ids]))

    def finish(self, run_id: str, output: Any = None, **fields: Any) -> Frame:
        """The body ended well, or as `fields` say (`outcome`, `error`, `epoch`, …)."""
        fields.setdefault("epoch", self.runs[run_id].epoch if run_id in self.runs else 0)
        fields.setdefault("outcome", "completed")
        raw = fields.pop("raw", None)
        if fields["outcome"] == "completed":
            fields["output"] = msgspec.json.encode(output).decode() if raw is None else raw
        elif raw is not None:
            fields["output"] = raw
        self.begun.discard(run_id)
        self.ended.add((run_id, fields["epoch"]))
        self.runs.pop(run_id, None)
        return self.send(Finished(run_id, **fields))

    def call(self, request: calls.Request, run_id: str | None = None, call_id: int = 1) -> None:
        body = msgspec.Raw(msgspec.msgpack.encode(request))
        epoch = self.runs[run_id].epoch if run_id in self.runs else 0
        self.send(Call(call_id, body, run_id, epoch))

    def answered(self, call_id: int = 1) -> Any:
        """What a call was answered last, undecoded values as dicts."""
        answer = [order for order in self.took(Answer) if order.call_id == call_id][-1]
        return msgspec.msgpack.decode(answer.body)

    def record(self, run_id: str, *entries: Entry, **fields: Any) -> Frame:
        """The code has made entries."""
        return self.send(self.recorded(run_id, *entries, **fields))

    def recorded(self, run_id: str, *entries: Entry, **fields: Any) -> Record:
        epoch = fields.pop("epoch", self.runs[run_id].epoch if run_id in self.runs else 0)
        return Record(run_id, epoch, fields.pop("generation", 0), list(entries))

    def waits(self, run_id: str, key: str, kind: str = "time", **fields: Any) -> Wait:
        """The message that the code begins to wait."""
        fields.setdefault("epoch", self.runs[run_id].epoch if run_id in self.runs else 0)
        fields.setdefault("generation", self.runs[run_id].generation if run_id in self.runs else 0)
        return Wait(run_id, key=key, kind=kind, seq=fields.pop("seq", 1), **fields)

    def parks(self, run_id: str, *keys: str, active_ms: int = 0) -> Park:
        """The message that all code of the run waits; it does from now on."""
        order = self.runs.pop(run_id)
        self.parked[run_id] = order
        return Park(run_id, order.epoch, list(keys), active_ms)

    def sleep(self, run_id: str, key: str, kind: str = "time", **fields: Any) -> Frame:
        """The code waits for one thing, and parks."""
        wait = self.waits(run_id, key, kind, **fields)
        return self.send(wait, self.parks(run_id, key))

    def let_go(self, *run_ids: str) -> Frame:
        """The worker drops coroutines that are parked in it."""
        dropped = [(run_id, self.parked.pop(run_id).epoch) for run_id in run_ids]
        return self.send(Dropped(dropped))

    def took(self, kind: type[Any]) -> list[Any]:
        """The orders of one kind so far."""
        return [order for order in self.orders if isinstance(order, kind)]

    def _deliver(self, orders: list[ToWorker]) -> None:
        self.orders.extend(orders)
        for order in orders:
            match order:
                case Execute():
                    self._take(order)
                case Ack():
                    self.acked = max(self.acked, order.number)
                case Fenced():
                    for held in (self.runs, self.parked):
                        if held.get(order.run_id, order).epoch == order.epoch:
                            held.pop(order.run_id, None)
                case Resume():
                    self._go_on(order)
                case Resolved():
                    self._hear(order)
                case Goodbye():
                    self._link = None
                case Revoke() | Cancel() if self.obedient:
                    self._obey(order)
                case Cancel() | Revoke() | Answer() | Welcome():
                    continue  # the test answers

    def _obey(self, order: Revoke | Cancel) -> None:
        if isinstance(order, Revoke):
            self._give_back(order)
        elif order.run_id in self.parked:  # an executing body takes its time
            del self.parked[order.run_id]
            self.finish(order.run_id, outcome="canceled", epoch=order.epoch)

    def _take(self, order: Execute) -> None:
        self.runs[order.run_id] = order
        self.parked.pop(order.run_id, None)
        self.told[order.run_id] = {entry.key: entry for entry in order.journal}
        self.begun.discard(order.run_id)

    def _go_on(self, order: Resume) -> None:
        held = self.parked.get(order.run_id)
        if held is None or held.epoch != order.before:
            self.send(Refused(order.run_id, order.epoch, True))
            return
        del self.parked[order.run_id]
        self.runs[order.run_id] = msgspec.structs.replace(held, epoch=order.epoch)
        self._learn(order.run_id, order.entries)

    def _hear(self, order: Resolved) -> None:
        self._learn(order.run_id, order.entries)
        held = self.parked.get(order.run_id)
        if held is not None and held.epoch == order.epoch:
            self.runs[order.run_id] = self.parked.pop(order.run_id)

    def _learn(self, run_id: str, entries: Sequence[Entry]) -> None:
        self.told.setdefault(run_id, {}).update({entry.key: entry for entry in entries})

    def answer_revokes(self) -> None:
        """Answer every Revoke so far as a worker does: what has not begun never will."""
        asked, self.orders = self.took(Revoke), []
        for order in asked:
            self._give_back(order)

    def _give_back(self, order: Revoke) -> None:
        held = self.runs.get(order.run_id)
        mine = held is not None and held.epoch == order.epoch
        begun = mine and order.run_id in self.begun
        if mine and not begun:
            del self.runs[order.run_id]
        if (order.run_id, order.epoch) not in self.ended:  # else its end says more, and comes first
            self.send(Refused(order.run_id, order.epoch, not begun))

    def refuse(self, run_id: str, *, refused: bool = True) -> None:
        """Answer the last Revoke of a run."""
        order = [order for order in self.took(Revoke) if order.run_id == run_id][-1]
        if refused:
            self.runs.pop(run_id, None)
        self.send(Refused(run_id, order.epoch, refused))


def request(payload: Any = None, task: str = "work", **options: Any) -> TriggerRequest:
    """One trigger; `raw` is JSON text that is sent as it stands."""
    text = options.pop("raw", None) or msgspec.json.encode(payload).decode()
    if "debounce" in options and isinstance(options["debounce"], dict):
        options["debounce"] = Debounce(**options["debounce"])
    return TriggerRequest(task, text, TriggerOptions(**options))


async def beaten(engine: Engine, env: EnvironmentRow, session_id: str) -> bool:
    """Beat for a session, and write that without waiting for the time of it."""
    beating = asyncio.ensure_future(engine.beat(env, session_id))
    await asyncio.sleep(0)
    for door in engine.doors.values():
        await door.leases.write()
    return await beating
