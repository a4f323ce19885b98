"""A simulated cluster: database, network, servers, workers and callers. Nothing breaks here."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Final

from mainspring.store.changes import Changes, Claimed
from mainspring.store.sqlite import SqliteStore
from tools.sim import tasks
from tools.sim.client import Client
from tools.sim.database import Disk
from tools.sim.ledger import Ledger
from tools.sim.network import Network
from tools.sim.server import Server
from tools.sim.worker import Worker
from tools.sim.world import World

SLUGS: Final = ("dev", "preview")


class Cluster:
    """Processes around one database, each environment with a ledger, two callers and workers.

    Attributes:
        versions: those of the code that workers have.
        random: decides what exists and what breaks; the world's own decides the rest.
    """

    def __init__(self, seed: int, store: SqliteStore) -> None:
        self.world = World(seed)
        self.random = Random(f"cluster/{seed}")
        self.disk = Disk(self.world, store)
        self.disk.committed = self._committed
        self.network = Network(self.world)
        self.slugs = SLUGS[: self.random.choice((1, 1, 1, 2))]
        catalog = store.catalog
        envs = [self.disk.now(partial(catalog.ensure_environment, slug)) for slug in self.slugs]
        self.versions = ("v1", "v2") if self.random.random() < 0.3 else ("",)
        self.ledgers = {env.shard_id: Ledger(self.world, env) for env in envs}
        self.workers: list[Worker] = []
        self.clients: list[Client] = []
        self._servers = 0

    @property
    def servers(self) -> list[Server]:
        """Servers that have not ended, in the order of their start."""
        return [server for server in self.network.servers if not server.node.dead]

    @property
    def lasting(self) -> list[Server]:
        """Those of them that do not end just now."""
        return [server for server in self.servers if not server.stopping]

    @property
    def living(self) -> list[Worker]:
        """Workers that have not ended."""
        return [worker for worker in self.workers if not worker.node.dead]

    def begin(self) -> None:
        """Start the first processes."""
        for _ in range(self.random.choice((1, 2, 2, 3))):
            self.new_server()
        for ledger in self.ledgers.values():
            for _ in range(self.random.choice((1, 1, 2))):
                self.new_worker(ledger)
            for _ in range(2):
                self.clients.append(Client(self.network, ledger, len(self.clients) + 1))

    def new_server(self) -> None:
        """Another server starts."""
        self._servers += 1
        server = Server(self.disk, self.network, self.slugs, self._servers)
        self.network.servers.append(server)
        server.start()

    def new_worker(self, ledger: Ledger, version: str | None = None) -> None:
        """Another worker of an environment starts, of that version or any."""
        slots = self.random.choice((1, 3, 6))
        version = self.random.choice(self.versions) if version is None else version
        worker = Worker(self.network, tasks.own, ledger, len(self.workers) + 1, slots, version)
        self.workers.append(worker)
        ledger.workers.append(worker)
        worker.start()

    def _committed(
        self, shard_id: int, epoch: int, changes: Changes, claimed: list[Claimed]
    ) -> None:
        self.ledgers[shard_id].committed(epoch, changes, claimed)
