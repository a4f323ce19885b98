"""A simulated server process: the real engine on its own connection to the database."""

from __future__ import annotations

import asyncio
import random
from asyncio import Future
from collections.abc import Sequence
from typing import Any

from mainspring.engine.engine import Engine
from mainspring.errors import MainspringError
from tools.sim.database import Disk, Store
from tools.sim.network import Network
from tools.sim.world import Node


class Server:
    """One start of a server.

    Attributes:
        asked: calls that are not answered yet, with who waits.
    """

    def __init__(self, disk: Disk, network: Network, slugs: Sequence[str], number: int) -> None:
        self.node = Node(disk.world, f"server-{number}")
        self.store = Store(disk, self.node)
        name, bits = self.node.name, random.Random(f"{disk.world.seed}/{number}")
        store: Any = self.store
        self.engine = Engine(store, store.objects, self.node.clock, bits, name, name)
        self.engine.shares.tell = lambda other: network.tell(self.node, other)
        self.asked: dict[Future[Any], Node] = {}
        self.stopping = self.stopped = False
        self._network = network
        self._slugs = slugs

    def owns(self, shard_id: int) -> bool:
        """Whether it lives and believes that it owns the shard."""
        return not (self.node.dead or self.stopped) and self.engine.shares.owns(shard_id)

    def start(self) -> None:
        """Begin, and begin again as long as the database does not answer."""
        self.node.begin(self._main())

    def kill(self) -> None:
        """End at once."""
        self.node.kill()
        self._network.hung_up(self)

    def stop(self) -> None:
        """End in good order."""
        self.stopping = True

        async def stopping() -> None:
            try:
                await self.engine.stop()
            except MainspringError as error:
                self.node.world.note(self.node.name, "could not leave:", error.message)
            self.stopped = True
            self.kill()

        self.node.begin(stopping())

    async def _main(self) -> None:
        while True:
            try:
                await self.engine.start()
                break
            except MainspringError:
                await asyncio.sleep(0.5)
        for slug in self._slugs:
            while not await self._knows(slug):  # noqa: ASYNC110 - a supervisor, which tries again
                await asyncio.sleep(0.5)

    async def _knows(self, slug: str) -> bool:
        try:
            await self.engine.environment(slug)
        except MainspringError:
            return False
        return True
