"""What lies between simulated processes: calls that may get lost, and links that keep order until
they break. Messages are copied, as every wire does. What they say is not looked at.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mainspring.errors import MainspringError, ServerUnreachable
from mainspring.wire.worker import (
    Frame,
    Goodbye,
    Hello,
    ToWorker,
    decode_frame,
    decode_hello,
    decode_orders,
    encoder,
)
from tools.sim.world import Node, World

if TYPE_CHECKING:
    from mainspring.engine.connect import Connection
    from mainspring.store.protocol import EnvironmentRow
    from tools.sim.server import Server

GONE: Final = "the connection to the server is lost (simulated)"
LINGERS: Final = 0.3
"""Share of broken links whose messages still arrive, as from the buffers of a kernel."""


class Network:
    """Latency and losses between processes.

    Attributes:
        latency_s: how long a message takes at most, as a rule.
        lost: share of calls whose question or answer never arrives.
        servers: where callers turn to.
        cut: names of processes that nothing goes to or comes from.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.latency_s = 0.003
        self.lost = 0.0
        self.servers: list[Server] = []
        self.cut: set[str] = set()
        self.links: list[Wire] = []

    def pick(self, shard_id: int) -> Server:
        """Where a caller is led: to the owner of the shard, as a rule. Forwarding is no subject of
        the simulation, so that others refuse.
        """
        chance = self.world.random
        living = [server for server in self.servers if not server.node.dead]
        ready = [server for server in living if server.engine.shares.owns(shard_id)]
        if ready and chance.random() < 0.85:
            return chance.choice(ready)
        return chance.choice(living or self.servers[-1:])

    def delay(self) -> float:
        """How long the next message takes."""
        chance = self.world.random.random()
        return self.latency_s * (20 * chance if chance > 0.98 else 0.05 + chance)

    def parted(self, one: Node, other: Node) -> bool:
        """Whether nothing gets through between two processes."""
        return one.name in self.cut or other.name in self.cut

    def tell(self, caller: Node, name: str) -> None:
        """A server tells another one that there may be a shard for it."""
        for server in self.servers:
            if server.node.name == name and not self._loses(caller, server.node):
                told = partial(server.node.call, server.engine.shares.told)
                self.world.after(self.delay(), told)

    async def call(
        self, caller: Node, server: Server, work: Callable[[], Coroutine[Any, Any, Any]]
    ) -> Any:
        """Ask a server. Raises: what it raises; ServerUnreachable when it is down; never returns
        when a message is lost, so callers set a time limit.
        """
        future: Future[Any] = caller.loop.create_future()
        if not self._loses(caller, server.node):
            self.world.after(self.delay(), partial(self._arrive, caller, server, work, future))
        return await future

    def _arrive(
        self,
        caller: Node,
        server: Server,
        work: Callable[[], Coroutine[Any, Any, Any]],
        future: Future[Any],
    ) -> None:
        if server.node.dead:
            self._answer(caller, server.node, future, None, ServerUnreachable(GONE))
            return
        server.asked[future] = caller
        server.node.call(partial(self._begin, caller, server, work, future))

    def _begin(
        self,
        caller: Node,
        server: Server,
        work: Callable[[], Coroutine[Any, Any, Any]],
        future: Future[Any],
    ) -> None:
        async def answer() -> None:
            result: Any = None
            error: MainspringError | None = None
            try:
                result = await work()
            except MainspringError as raised:
                error = raised
            server.asked.pop(future, None)
            self._answer(caller, server.node, future, result, error)

        server.node.begin(answer())

    def hung_up(self, server: Server) -> None:
        """The server is gone; who waits for its answer learns of it."""
        for future, caller in list(server.asked.items()):
            self._answer(caller, server.node, future, None, ServerUnreachable(GONE))
        server.asked.clear()
        for link in list(self.links):
            if link.server is server:
                link.snap()

    def _answer(
        self,
        caller: Node,
        server: Node,
        future: Future[Any],
        result: Any,
        error: MainspringError | None,
    ) -> None:
        if not self._loses(caller, server):
            settle = partial(_settle, future, result, error)
            self.world.after(self.delay(), partial(caller.call, settle))

    def _loses(self, one: Node, other: Node) -> bool:
        return self.parted(one, other) or (self.lost > 0 and self.world.random.random() < self.lost)


class Wire:
    """One connection of a worker to a server: both ways in order, until it snaps.

    Attributes:
        closed: answered at the worker's side once it has noticed the end.
        lingers_s: how much later what was under way when it snapped still arrives, at a side that
            has not noticed the end; None = it is lost.
    """

    def __init__(
        self, network: Network, worker: Node, server: Server, take: Callable[[list[Any]], None]
    ) -> None:
        self.env: EnvironmentRow = worker.ledger.env
        self.network = network
        self.worker = worker
        self.server = server
        self.snapped = False
        self.lingers_s: float | None = None
        self.closed: Future[str] = worker.loop.create_future()
        self._take = take
        self._left_by_server = False
        self._connection: Connection | None = None
        self._last = [0.0, 0.0]

    def open(self, hello: Hello) -> None:
        """Say hello."""
        self.network.links.append(self)
        data = encoder.encode(hello)
        if self.server.node.dead:
            self.snap()
        else:
            self._carry(0, self.server.node, partial(self._welcome, data))

    def send(self, frame: Frame) -> None:
        """A frame of the worker sets out."""
        data = encoder.encode(frame)
        self._carry(0, self.server.node, partial(self._receive, data))

    def snap(self) -> None:
        """The connection breaks: what is under way is lost, or comes late; each side notices in its
        own time.
        """
        if self.snapped:
            return
        self.snapped = True
        if self in self.network.links:
            self.network.links.remove(self)
        world, chance = self.network.world, self.network.world.random.random
        if chance() < LINGERS:
            self.lingers_s = chance() * 8
        late = 0.02 if chance() < 0.7 else chance() * 8
        world.after(late, partial(self.server.node.call, self._left))
        late = 0.02 if chance() < 0.7 else chance() * 8
        world.after(late, partial(self.worker.call, self._over, GONE))

    def close(self, reason: str) -> None:
        """The worker's side ends it."""
        self._over(reason)
        self.snap()

    def _welcome(self, data: bytes) -> None:
        if self._left_by_server:
            return
        try:
            engine = self.server.engine
            self._connection = engine.connect(self.env, decode_hello(data), self._deliver)
        except MainspringError as error:
            self._deliver([Goodbye(error.message, retry=True)])

    def _receive(self, data: bytes) -> None:
        if self._connection is not None:
            self._connection.receive(decode_frame(data))

    def _deliver(self, orders: list[ToWorker]) -> None:
        data = encoder.encode(orders)
        self._carry(1, self.worker, partial(self._hear, data))

    def _hear(self, data: bytes) -> None:
        if not self.closed.done():
            self._take(decode_orders(data))

    def _left(self) -> None:
        self._left_by_server = True
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _over(self, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)

    def _carry(self, way: int, to: Node, deed: Callable[[], None]) -> None:
        """Bring a message to the other side, after those before it."""
        if self.snapped:
            return
        if self.network.parted(self.worker, self.server.node):
            return  # a partition ends in a broken connection, which repeats everything
        world = self.network.world
        at = max(self._last[way], world.now + self.network.delay())
        self._last[way] = at
        world.at(at, partial(self._bring, to, deed))

    def _bring(self, to: Node, deed: Callable[[], None]) -> None:
        if not self.snapped:
            to.call(deed)
        elif self.lingers_s is not None:
            self.network.world.after(self.lingers_s, partial(to.call, deed))


def _settle(future: Future[Any], result: Any, error: MainspringError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


async def within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """The result, if it comes in time. Raises: ServerUnreachable when not."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise ServerUnreachable("No answer came in time (simulated).") from None
