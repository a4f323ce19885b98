"""The engine as the rooms above see it: assembles owners, doors and loops. No rules here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mainspring.clock import Clock
from mainspring.engine import bundles, deadlock, environments, forget, inbox
from mainspring.engine.answer import answer
from mainspring.engine.connect import Connection, Door
from mainspring.engine.exporting import Exporter
from mainspring.engine.feed import Topic, Watch
from mainspring.engine.figures import figures
from mainspring.engine.holdings import Holdings
from mainspring.engine.members import Members
from mainspring.engine.owner import Owner
from mainspring.engine.pushing import Pusher, records
from mainspring.engine.session import Deliver
from mainspring.engine.shares import BEAT_S, Shares
from mainspring.engine.show import Show
from mainspring.engine.sweep import Sweep
from mainspring.engine.variables import Variables, no_vault
from mainspring.errors import MainspringError, StoreUnavailable
from mainspring.ids import Bits
from mainspring.model.branch import slug_of
from mainspring.store.archives import Depot
from mainspring.store.objects import Objects
from mainspring.store.protocol import EnvironmentRow, Store
from mainspring.store.variables import Vault
from mainspring.telemetry.metrics import Sample
from mainspring.telemetry.records import samples
from mainspring.wire import calls
from mainspring.wire.environments import CreateBranch, EnvironmentState
from mainspring.wire.worker import Hello

TICK_S = 0.25
METRICS_MS = 90 * 86_400_000

log = logging.getLogger("mainspring.engine")


class Engine:
    """Owns its share of the shards of a database and answers for them, from `start` to `stop`.

    The other servers of the database own the rest; a request for an environment of theirs is
    refused with Elsewhere. The shards of a server whose beats stand still for 3.5 s are taken over.

    A server without an `address`, where others reach it, stands by while another one owns anything.

    Attributes:
        shares: what this server owns of the shards.
        keep_ms: how long runs stay after their end; 0 = for ever.
        depot: where what is deleted then is archived before; None = nowhere. Set before `start`.
        keep_versions: of how many versions the code stays in any case; 0 = of all.
        keep_lines_ms: how long lines and spans of programs do; 0 = as long as their runs.
        keep_metrics_ms: how long what is measured stays by the hour; 0 = for ever.
        measured: whether anything is; set before `start`.
        exporter: hears of runs that have ended; set before `start`.
        pusher: sends what is measured; set before `start`.
    """

    def __init__(
        self,
        store: Store,
        objects: Objects,
        clock: Clock,
        bits: Bits,
        server_id: str,
        address: str = "",
        open_vault: Callable[[], Vault] = no_vault,
    ) -> None:
        self.store = store
        self.objects = objects
        self.clock = clock
        self.server_id = server_id
        self.access = store.access
        self.keep_ms = 0
        self.keep_versions = 0
        self.keep_lines_ms = 0
        self.keep_metrics_ms = METRICS_MS
        self.measured = True
        self.depot: Depot | None = None
        self.exporter: Exporter | None = None
        self.pusher: Pusher | None = None
        self.variables = Variables(store.variables, clock, open_vault, self.environment)
        self.given = self.variables.given
        held = Holdings(store, objects, clock, bits, server_id, self.variables, self.answer)
        members = Members(store.shards, clock, server_id, address)
        self.shares = Shares(members, held, clock, server_id)
        self.owners: dict[int, Owner] = held.owners
        self.doors: dict[int, Door] = held.doors
        self._bits = bits
        self._loop: asyncio.Task[None] | None = None
        self._beats: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._sweep = Sweep(objects, self.variables)

    @property
    def ready(self) -> bool:
        """Whether this server answers for shards, or there are none that another one owns."""
        return self.shares.any

    async def start(self, *, loops: bool = True) -> None:
        """Take what is to be this server's. The store must be open.

        Without `loops` nothing happens by time; the caller calls `tick` (simulation, tests).
        Raises: StoreUnavailable.
        """
        if self.exporter is not None:
            self.shares.held.on_ends = self.exporter.note
            self.exporter.start()
        await self.shares.start()
        if self.pusher is not None:
            self.pusher.start(self.owners, self.clock)
        if loops:
            self._loop = asyncio.create_task(self._run(), name="engine")
            self._beats = asyncio.create_task(self._beat(), name="engine beats")

    async def stop(self) -> None:
        """End after the turns under way and give the shards up. Safe to call twice."""
        self._stop.set()
        self.shares.bell.set()
        if self._loop is not None and self._beats is not None:
            await asyncio.gather(self._loop, self._beats, return_exceptions=True)
            self._loop = self._beats = None
        if self.exporter is not None:
            await self.exporter.stop()
        if self.pusher is not None:
            await self.pusher.stop()
        await self.shares.stop()

    async def answer(
        self,
        env: EnvironmentRow,
        request: calls.Request,
        run_id: str | None = None,
        epoch: int = 0,
    ) -> calls.Response:
        """Answer a request of an environment; see `engine.answer`."""
        owner = self.shares.owner(env)
        if isinstance(request, CreateBranch):
            environments.check_preview(env)
            made = await self.environment(slug_of(request.name))
            return EnvironmentState(made.slug, made.paused, made.limit, made.burst)
        response = await answer(owner, env, request, run_id, epoch)
        if run_id is None:
            response = await self.variables.shown(env, response)
        return response

    def connect(
        self, env: EnvironmentRow, hello: Hello, deliver: Deliver, *, inside: bool = False
    ) -> Connection:
        """Let a worker session in. Raises: StoreUnavailable while standing by, Conflict.

        A server that others may have replaced meanwhile would tell it of runs that are not lost.
        """
        self.shares.owner(env)
        if not inside:
            self.shares.check_sure()
        return self.doors[env.shard_id].connect(env, hello, deliver, inside=inside)

    def watch(self, env: EnvironmentRow, *topics: Topic) -> Watch:
        """Be woken when something of these topics has changed; see `engine.feed`. It closes when
        this server owns the environment no more. Raises: StoreUnavailable.
        """
        return self.shares.owner(env).feed.watch(*topics)

    async def follow(self, env: EnvironmentRow) -> None:
        """Everything that is watched here is at hand."""

    def relay(self, env: EnvironmentRow) -> None:
        """There is no other server that this one would ask."""

    def show(self, env: EnvironmentRow) -> Show:
        """What those who watch runs read of them. Raises: StoreUnavailable."""
        return Show(self.shares.owner(env), self.doors[env.shard_id], env)

    async def beat(self, env: EnvironmentRow, session_id: str) -> bool:
        """Renew a session's lease, durably; False = unknown, it has to begin anew.

        Raises: StoreUnavailable while that cannot be written, and for an unknown session that may
        be the former owner's, on its way back.
        """
        self.shares.owner(env)
        known = await self.doors[env.shard_id].beat(env, session_id)
        if not known and self.shares.held.is_new(env.shard_id):
            raise StoreUnavailable("This server has just taken over; connect to it again.")
        return known

    def lost(self, env: EnvironmentRow, session_id: str, how: str = "") -> None:
        """A session's process is dead for certain; `how` as in `wire.beats.Named`."""
        self.shares.owner(env)
        self.doors[env.shard_id].lost(env, session_id, how)

    async def environment(self, slug: str) -> EnvironmentRow:
        """The environment with that slug, made when missing."""
        env = await self.store.catalog.ensure_environment(slug)
        await self.shares.ensure(env.shard_id)
        owner = self.owners.get(env.shard_id)
        if owner is not None and env.env_id not in owner.state.environments:
            owner.state.set_environment(env)
        return env

    def figures(self, env: EnvironmentRow) -> list[Sample]:
        """Figures of this server, and of the queues of one environment."""
        found = figures(self.owners.values(), env)
        found += samples(records(self.owners, self.clock.now(), env.env_id))
        if self.exporter is not None:
            told = "Ended runs whose spans were not exported."
            found.append(Sample("mainspring_export_dropped_total", told, self.exporter.dropped))
        return found

    async def tick(self) -> None:
        """What happens by time, once: leases, shares, inbox, log lines, and timers that are due."""
        await self.shares.tick()
        if self.owners:
            await self._sweep.look(self.clock.now())
        for shard_id, owner in list(self.owners.items()):
            door = self.doors.get(shard_id)
            if door is None or owner.is_over:
                continue
            door.reap()
            door.leases.ring()
            await door.flush_logs()
            await inbox.drain(owner)
            await deadlock.look(owner)
            owner.bulks.go_on()
            owner.retention.archiving.depot = self.depot
            await forget.look(owner, self.keep_ms, self.keep_lines_ms)
            await bundles.look(owner, self.keep_versions)
            owner.measures.on = self.measured
            await owner.measures.look(self.keep_metrics_ms)
            if owner.rounds.ring(owner.commits):
                owner.ring()
            owner.feed.sweep(self.clock.monotonic())
            owner.ring_if_due()

    async def idle(self) -> None:
        """Wait until nothing is left to do at this moment of the clock (simulation, tests)."""
        for shard_id, owner in list(self.owners.items()):
            await owner.bulks.idle()
            await owner.retention.archiving.idle()
            await owner.idle()
            await self.doors[shard_id].idle()
            await owner.idle()

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await self.tick()
            except MainspringError as error:
                log.warning("%s", error.message)
            except Exception:  # the supervisor of the loop: the beats say that this server works
                log.exception("a tick of the engine failed")
            await self._pause(self.shares.bell)
            self.shares.bell.clear()

    async def _beat(self) -> None:
        """Renew in time though a tick takes long, as one that reads a large shard does."""
        while not self._stop.is_set():
            await self._pause(self._stop)
            for door in self.doors.values():
                door.leases.ring()
            if self.clock.monotonic() - self.shares.members.renewed_at < BEAT_S + TICK_S:
                continue
            try:
                await self.shares.renew()
            except MainspringError as error:
                log.warning("%s", error.message)

    async def _pause(self, bell: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(TICK_S):
                await bell.wait()
        except TimeoutError:
            return
