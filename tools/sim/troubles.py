"""What breaks in a simulated cluster, and how long: from chance, and only as long as it is to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from mainspring.store.protocol import EnvironmentRow
from tools.sim.cluster import Cluster
from tools.sim.ledger import Ledger
from tools.sim.server import Server
from tools.sim.worker import Worker
from tools.sim.world import Node

BACK_MS: Final = 240_000
"""So far the wall clock is set back at most."""


class Troubles:
    """Breaks something every now and then, until a moment; `heal` ends everything that is broken.

    Attributes:
        most: after so many nothing more breaks; None = no bound.
        done: how many there have been.
    """

    def __init__(self, cluster: Cluster, most: int | None) -> None:
        self.cluster = cluster
        self.world, self.random = cluster.world, cluster.random
        self.disk, self.network = cluster.disk, cluster.network
        self.most = most
        self.done = 0
        self._kinds = self._chosen()
        self._until = 0.0

    def begin(self, until: float) -> None:
        """Break things until then."""
        self._until = until
        pause = self.random.choice((0.3, 1.0, 3.0))
        if self._kinds:
            self._soon(pause)

    def heal(self) -> None:
        """Every trouble ends; there is a server, and workers in each environment."""
        fates = self.disk.fates
        fates.fails = fates.doubtful = fates.slow = self.network.lost = 0.0
        fates.slow_reads = 0.0
        fates.down = False
        self.network.cut.clear()
        self.disk.cut.clear()
        for link in list(self.network.links):
            link.snap()
        for node in self.world.nodes:
            node.frozen_until = 0.0
            self.world.thaw(node)
        if not self.cluster.lasting:
            self.cluster.new_server()
        for ledger in self.cluster.ledgers.values():
            staying = [one for one in ledger.workers if not (one.node.dead or one.stopping)]
            living = {worker.version for worker in staying}
            for version in self.cluster.versions:
                if version not in living:
                    self.cluster.new_worker(ledger, version)

    def _chosen(self) -> list[Callable[[], None]]:
        """The kinds of trouble that this seed knows; each seed has another selection."""
        every: list[Callable[[], None]] = [
            self.kill_server, self.kill_worker, self.freeze_server, self.freeze_worker,
            self.stop_server, self.snap_links, self.part, self.stumble, self.doubt, self.slow,
            self.outage, self.jump, self.lose_calls, self.cut_off, self.die_in_a_commit,
            self.set_back, self.slow_reads, self.stop_worker,
        ]  # fmt: skip
        if self.random.random() < 0.05:
            return []
        return [kind for kind in every if self.random.random() < 0.45]

    def _soon(self, pause: float) -> None:
        def trouble() -> None:
            if self.world.now >= self._until or self.most == self.done:
                return
            self.done += 1
            kind = self.random.choice(self._kinds)
            self.world.note("trouble:", kind.__name__)
            kind()
            self._soon(pause)

        self.world.after(self.random.expovariate(1 / pause), trouble)

    def kill_server(self) -> None:
        if self.cluster.servers:
            self.random.choice(self.cluster.servers).kill()
            self.world.after(self.random.choice((0.1, 2.0, 9.0)), self._replace_server)

    def _kill_owner(self, shard_id: int) -> None:
        for server in self.cluster.servers:
            if server.owns(shard_id) and self.world.now < self._until:
                server.kill()
                self._replace_server()

    def die_in_a_commit(self) -> None:
        self.disk.fates.slow_s = 0.3
        self._fates("slow", 1.0)
        self.world.after(0.1, self.kill_server)

    def stop_server(self) -> None:
        if self.cluster.lasting:
            self.random.choice(self.cluster.lasting).stop()
            self.world.after(self.random.choice((0.1, 2.0)), self._replace_server)

    def _replace_server(self) -> None:
        if len(self.cluster.lasting) < 3:
            self.cluster.new_server()

    def kill_worker(self) -> None:
        if not self.cluster.living:
            return
        worker = self.random.choice(self.cluster.living)
        worker.kill()
        self._gone(worker)

    def stop_worker(self) -> None:
        staying = [worker for worker in self.cluster.living if not worker.stopping]
        if staying:
            worker = self.random.choice(staying)
            worker.stop(self.random.choice((0.0, 1.0, 20.0)), partial(self._gone, worker))

    def _gone(self, worker: Worker) -> None:
        """Its supervisor may say so, and starts another one."""
        session, ledger = worker.session, worker.ledger
        if session is not None and self.random.random() < 0.5:
            self.world.after(
                0.3, partial(self._report, ledger.env.shard_id, ledger.env, session.id)
            )
        self.world.after(self.random.choice((0.2, 3.0)), partial(self._replace_worker, ledger))
        if self.random.random() < 0.3:  # and one owner after the other, as its lease runs
            for at in (4.0, 11.0):
                self.world.after(at, partial(self._kill_owner, ledger.env.shard_id))

    def _report(self, shard_id: int, env: EnvironmentRow, session_id: str) -> None:
        """The supervisor says that the process is dead."""
        for server in self.cluster.servers:
            if server.owns(shard_id) and not server.node.frozen:
                server.node.call(self._lost, server, env, session_id)

    def _lost(self, server: Server, env: EnvironmentRow, session_id: str) -> None:
        if server.owns(env.shard_id):
            server.engine.lost(env, session_id)

    def _replace_worker(self, ledger: Ledger) -> None:
        if sum(not worker.node.dead for worker in ledger.workers) < 2:
            self.cluster.new_worker(ledger)

    def freeze_server(self) -> None:
        if self.cluster.servers:
            self._freeze(self.random.choice(self.cluster.servers).node)

    def freeze_worker(self) -> None:
        if self.cluster.living:
            self._freeze(self.random.choice(self.cluster.living).node)

    def _freeze(self, node: Node) -> None:
        seconds = self.random.choice((0.05, 0.7, 4.0, 7.0, 13.0, 25.0))
        self.world.note("freeze", node.name, seconds)
        node.frozen = True
        node.frozen_until = max(node.frozen_until, self.world.now + seconds)
        self.world.after(seconds, partial(self.world.thaw, node))

    def snap_links(self) -> None:
        for link in list(self.network.links):
            if self.random.random() < 0.5:
                link.snap()

    def part(self) -> None:
        nodes = [server.node for server in self.cluster.servers] + [
            worker.node for worker in self.cluster.workers
        ]
        name = self.random.choice(nodes).name
        self.network.cut.add(name)

        def mend() -> None:
            self.network.cut.discard(name)
            for link in list(self.network.links):  # what was lost is noticed now
                if name in (link.worker.name, link.server.node.name):
                    link.snap()

        self.world.after(self.random.choice((0.3, 3.0, 17.0, 25.0)), mend)

    def stumble(self) -> None:
        self._fates("fails", self.random.choice((0.02, 0.2)))

    def doubt(self) -> None:
        self._fates("doubtful", self.random.choice((0.05, 0.5)))

    def slow(self) -> None:
        self.disk.fates.slow_s = self.random.choice((0.05, 0.9, 3.0, 8.0))
        self._fates("slow", self.random.choice((0.05, 0.5)))

    def outage(self) -> None:
        self._fates("down", True)

    def _fates(self, name: str, value: Any) -> None:
        fates = self.disk.fates
        setattr(fates, name, value)
        self.world.after(
            self.random.choice((0.1, 1.0, 4.0)), lambda: setattr(fates, name, type(value)(0))
        )

    def cut_off(self) -> None:
        """One server does not reach the database, but everybody else."""
        if self.cluster.servers:
            name = self.random.choice(self.cluster.servers).node.name
            self.disk.cut.add(name)
            self.world.after(
                self.random.choice((2.0, 8.0, 24.0)), lambda: self.disk.cut.discard(name)
            )

    def jump(self) -> None:
        self.world.wall_shift_ms += self.random.choice((50, 2_000, 60_000, 150_000))

    def set_back(self) -> None:
        """Never so far that what waits for a time is not due before the end."""
        back = self.world.back_ms + self.random.choice((50, 2_000, 40_000))
        self.world.back_ms = min(back, BACK_MS)

    def slow_reads(self) -> None:
        self._fates("slow_reads", self.random.choice((0.05, 0.5)))

    def lose_calls(self) -> None:
        self.network.lost = 0.3
        self.world.after(self.random.choice((0.5, 4.0)), lambda: setattr(self.network, "lost", 0.0))
