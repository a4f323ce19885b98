"""One seed from its first moment to its last: a cluster, its troubles, healing, and checks."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from mainspring.engine.audit import audit
from mainspring.engine.owner import Owner
from mainspring.store.sqlite import SqliteStore
from tools.sim.cluster import Cluster
from tools.sim.database import empty
from tools.sim.ledger import Ledger
from tools.sim.server import Server
from tools.sim.stage import staged
from tools.sim.troubles import Troubles
from tools.sim.world import Violation

WARM_S: Final = 1.0
DRAIN_S: Final = 400.0
LOOK_S: Final = 1.3
OWNS_S: Final = 2.6
"""After so long an owner has done what its takeover brought about."""


class Outcome(msgspec.Struct):
    """What became of a seed."""

    seed: int
    failure: str | None
    digest: int
    steps: int
    commits: int
    runs: int
    executed: int
    simulated_s: float
    troubles: int
    trace: list[str] = []


class Scenario:
    """A cluster under a workload and troubles, all from one seed."""

    def __init__(self, seed: int, store: SqliteStore, most: int | None) -> None:
        self.cluster = Cluster(seed, store)
        self.world, self.disk = self.cluster.world, self.cluster.disk
        self.ledgers = list(self.cluster.ledgers.values())
        self.troubles = Troubles(self.cluster, most)
        self._able: dict[str, float] = {}
        self._owning: dict[tuple[str, int], float] = {}

    def run(self) -> None:
        """Everything. Raises: Violation."""
        random, world = self.cluster.random, self.world
        chaos_s = random.choice((3.0, 6.0, 12.0, 28.0))
        self.cluster.begin()
        world.after(LOOK_S, self._look)
        world.run_until(WARM_S)
        pause = chaos_s / random.choice((5, 10, 20))
        for client in self.cluster.clients:
            client.start(WARM_S + chaos_s, pause)
        self.troubles.begin(WARM_S + chaos_s)
        world.run_until(WARM_S + chaos_s)
        world.note("healed")
        self.troubles.heal()
        for client in self.cluster.clients[::2]:
            client.do(client.restore())
        world.run_until(world.now + DRAIN_S, self._is_over)
        self._end()

    def _is_over(self) -> bool:
        if not all(ledger.is_over for ledger in self.ledgers):
            return False
        return not any(client.open for client in self.cluster.clients)

    def _look(self) -> None:
        """What holds at any moment in which no owner is in the middle of something."""
        self._look_at_leases()
        for ledger in self.ledgers:
            ledger.check_executing()
        for server in self.cluster.servers:
            for shard_id, owner in server.engine.owners.items():
                if owner.rounds.differences:
                    self.world.fail(f"{server.node.name} found that memory and rows differ")
                if server.owns(shard_id) and not server.node.frozen:
                    self._compare(server, shard_id, owner)
            loop = server.engine._loop
            if loop is not None and loop.done() and not server.stopping:
                self.world.fail(f"the loop of {server.node.name} has ended: {loop!r}")
        self.world.after(LOOK_S, self._look)

    def _look_at_leases(self) -> None:
        """An owner of a while, which nothing has disturbed since a worker died, has its runs back.

        One that came later does not know how long the owners before had been dead.
        """
        now, fates = self.world.now, self.disk.fates
        able = [
            server
            for server in self.cluster.servers
            if not server.node.frozen and server.node.name not in self.disk.cut
        ]
        troubled = fates.down or fates.fails or fates.doubtful or fates.slow or fates.slow_reads
        self._able = {one.node.name: self._able.get(one.node.name, now) for one in able}
        owning = [
            (one.node.name, ledger.env.shard_id)
            for one in able
            for ledger in self.ledgers
            if not troubled and one.owns(ledger.env.shard_id)
        ]
        self._owning = {one: self._owning.get(one, now) for one in owning}
        for (name, shard_id), since in self._owning.items():
            if now - since >= OWNS_S:
                self.cluster.ledgers[shard_id].check_dead(self._able[name])

    def _compare(self, server: Server, shard_id: int, owner: Owner) -> None:
        """The memory of an owner is what the rows say."""
        quiet = not (owner._turning or owner._stopping or owner._flying or owner._ahead)
        if not quiet or self.disk.epoch(shard_id) != owner.epoch:
            return
        seen: Any = SimpleNamespace(state=owner.state, store=self.disk.store)
        for line in self.disk.now(lambda: audit(seen)):
            if "timers" not in line or not self._cascades(shard_id):
                self.world.fail(f"memory and rows of {server.node.name} differ: {line}")

    def _cascades(self, shard_id: int) -> bool:
        """Whether children of canceled runs are being canceled: that timer stays meanwhile."""
        live = self.disk.store.live  # all times: the wall clock may have been set back since
        rows = self.disk.now(lambda: live.timers(shard_id, (-1, "", ""), 1 << 60, 1_000))
        return any(row.kind == "cascade" for row in rows)

    def _end(self) -> None:
        """Everything has ended, and nothing is left over."""
        for ledger in self.ledgers:
            self._check_end(ledger)
        self._look()
        if self.world.failure is not None:
            raise self.world.failure

    def _check_end(self, ledger: Ledger) -> None:
        shard_id, unfinished = ledger.env.shard_id, ledger.unfinished()
        if unfinished:
            rows = self.disk.now(lambda: self.disk.store.live.locate(shard_id, unfinished[:3]))
            self.world.note("left over:", *rows)
            self.world.fail(f"{len(unfinished)} runs never end, such as {unfinished[0]}")
        if not any(server.owns(shard_id) for server in self.cluster.servers):
            self.world.fail(f"nobody owns shard {shard_id} in the end")
        if ledger.active:
            self.world.fail(f"slots are left over: {ledger.active}")
        if "pending" in ledger.bulks.values():
            self.world.fail(f"bulk actions never end: {ledger.bulks}")


_stores: Final[list[SqliteStore]] = []


def simulate(seed: int, most: int | None = None) -> Outcome:
    """Simulate one seed, with at most so many troubles."""
    if not _stores:
        store = SqliteStore(":memory:")
        asyncio.run(store.open())
        _stores.append(store)
        gc.collect()
        gc.freeze()  # each seed ends with a collection, which need not look at modules
    empty(_stores[0])
    scenario = Scenario(seed, _stores[0], most)
    failure = None
    with staged(scenario.world):
        try:
            scenario.run()
        except Violation as violation:
            failure = str(violation)
    world, ledgers = scenario.world, scenario.ledgers
    return Outcome(
        seed,
        failure,
        world.digest,
        world.steps,
        sum(ledger.commits for ledger in ledgers),
        sum(len(ledger.runs) for ledger in ledgers),
        sum(ledger.executed for ledger in ledgers),
        world.now,
        scenario.troubles.done,
        list(world.trace) if failure else [],
    )
