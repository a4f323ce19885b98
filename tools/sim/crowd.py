"""Many engines without work: how evenly they share, and how long the shards of lost ones are alone.

./dev run python -m tools.sim.crowd [--servers 100] [--shards 1000] [--lost 10]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Callable
from functools import partial

from mainspring.store.sqlite import SqliteStore
from tools.sim.database import Disk
from tools.sim.network import Network
from tools.sim.server import Server
from tools.sim.stage import staged
from tools.sim.world import World

PATIENCE_S = 120.0
"""Simulated seconds, after which the shards are said not to come to rest."""
STEP_S = 0.1
RESTS_S = 60.0
"""After so long everybody has asked where the rows are."""


class Crowd:
    """Servers of one database with an environment, hence a shard, for each of `shards`."""

    def __init__(self, seed: int, servers: int, shards: int, nodes: int) -> None:
        self.world = World(seed)
        self.store = SqliteStore(":memory:")
        self.disk = Disk(self.world, self.store)
        self.disk.nodes = nodes
        self.network = Network(self.world)
        self.servers: list[Server] = []
        self._first, self._shards = servers, shards
        self.moves = 0

    def begin(self) -> None:
        """Start all servers at once, on an empty database."""
        self.disk.now(partial(self.store.open, migrate=True))
        catalog = self.store.catalog
        for number in range(self._shards):
            self.disk.now(partial(catalog.ensure_environment, f"env-{number}"))
        self.start(self._first)

    def start(self, count: int) -> None:
        """Start that many more."""
        for _ in range(count):
            server = Server(self.disk, self.network, (), len(self.servers) + 1)
            self.servers.append(server)
            self.network.servers.append(server)
            server.start()

    def lose(self, count: int) -> set[int]:
        """End the first of those that live, at once; the shards that they had."""
        lost = [server for server in self.servers if not server.node.dead][:count]
        shards = {shard for shard in self.owners() for one in lost if one.owns(shard)}
        for server in lost:
            server.kill()
        return shards

    def owners(self) -> dict[int, str]:
        """The owner of each shard, as its row says."""
        rows = self.disk.now(self.store.shards.owners)
        return {shard: owner for shard, owner, _epoch in rows}

    def answered(self) -> Counter[str]:
        """How many shards each living server answers for."""
        found: Counter[str] = Counter()
        for server in self.servers:
            if not server.node.dead:
                held = server.engine.shares.held.owners
                found[server.node.name] = sum(server.owns(shard) for shard in held)
        return found

    @property
    def near(self) -> float:
        """The share of shards of which the rows are at the owner's node of the database."""
        owners, disk = self.owners(), self.disk
        near = sum(disk.home(shard) == disk.node_of(owner) for shard, owner in owners.items())
        return round(near / len(owners), 2)

    @property
    def is_even(self) -> bool:
        """Whether every shard is answered for, and nobody has two more than another."""
        shares = self.answered().values()
        return sum(shares) == self._shards and max(shares) - min(shares) <= 1

    def until(self, true: Callable[[], bool]) -> float:
        """Simulated seconds until it is so. Raises: AssertionError when it never is."""
        began = self.world.now
        while not true():
            assert self.world.now - began < PATIENCE_S, "the shards do not come to rest"
            self.world.run_until(self.world.now + STEP_S)
            self.world.leave()
        return round(self.world.now - began, 1)


def measured(seed: int, servers: int, shards: int, lost: int, nodes: int = 0) -> dict[str, float]:
    """Seconds until shares are even: from nothing, after some are lost, after as many have come.
    `near`: the share of shards that lie near their owners in the end, with that many `nodes`.
    """
    crowd = Crowd(seed, servers, shards, nodes)
    with staged(crowd.world):
        crowd.begin()
        started = crowd.until(lambda: crowd.is_even)
        alone = crowd.lose(lost)
        dead = {server.node.name for server in crowd.servers if server.node.dead}
        taken: dict[int, float] = {}
        began = crowd.world.now

        def is_whole() -> bool:
            for shard, owner in crowd.owners().items():
                if shard in alone and owner not in dead:
                    taken.setdefault(shard, crowd.world.now - began)
            return crowd.is_even

        evened = crowd.until(is_whole)
        before = crowd.owners()
        crowd.start(lost)
        grown = crowd.until(lambda: crowd.is_even)
        moved = sum(before[shard] != owner for shard, owner in crowd.owners().items())
        crowd.world.run_until(crowd.world.now + (RESTS_S if nodes else 0.0))
        near = crowd.near
    return {
        "servers": servers,
        "shards": shards,
        "even_from_nothing_s": started,
        "lost": lost,
        "shards_alone": len(alone),
        "alone_median_s": round(statistics.median(taken.values()), 1),
        "alone_worst_s": round(max(taken.values()), 1),
        "even_after_loss_s": evened,
        "even_after_growth_s": grown,
        "moved_for_growth": moved,
        "near": near,
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--shards", type=int, default=1_000)
    parser.add_argument("--lost", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=0, help="of the database's cluster")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(
        json.dumps(measured(given.seed, given.servers, given.shards, given.lost, given.nodes)),
        flush=True,
    )


if __name__ == "__main__":
    main()
