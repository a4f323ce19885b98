"""A simulated worker process: the real session, runner and journal, behind a simulated link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from mainspring.errors import MainspringError
from mainspring.sdk.registry import Registry
from mainspring.wire.worker import BEAT_S, FromWorker, Goodbye, Record, ToWorker, Welcome
from mainspring.worker.lease import Lease
from mainspring.worker.link import OnOrders, acknowledge
from mainspring.worker.outbox import Outbox
from mainspring.worker.session import Session
from tools.sim.ledger import Ledger
from tools.sim.network import Network, Wire, within
from tools.sim.world import Node

FIRST_DELAY_S: Final = 0.1
LAST_DELAY_S: Final = 5.0
PAUSE_S: Final = 0.5


class Worker:
    """One start of a worker process, session after session.

    Attributes:
        ledger: that of its environment.
        stopping: it takes nothing new, and then ends.
        died_at: when it ended.
    """

    def __init__(
        self,
        network: Network,
        registry: Registry,
        ledger: Ledger,
        number: int,
        slots: int,
        version: str,
    ) -> None:
        self.node = Node(network.world, f"worker-{number}")
        self.node.ledger = ledger
        self.slots = slots
        self.version = version
        self.session: Session | None = None
        self._network = network
        self._registry = registry
        self.ledger = ledger
        self.stopping = False
        self.died_at = 0.0
        self._sessions = 0

    def start(self) -> None:
        """Begin."""
        self.node.begin(self._main())

    def stop(self, grace_s: float, ended: Callable[[], None]) -> None:
        """Be asked to end in good order, within so long and what cleaning up takes."""

        async def drain() -> None:
            if self.session is not None and not self.session.ended.done():
                cut = await self.session.drain(grace_s)
                self.node.world.note(self.node.name, "is drained;", cut, "attempts cut off")
            self.kill()
            ended()

        self.stopping = True
        self.node.begin(drain())

    def kill(self) -> None:
        """End at once; its supervisor reports that, if it can."""
        self.died_at = self._network.world.now
        self.node.kill()
        for link in list(self._network.links):
            if link.worker is self.node:
                link.snap()

    async def _main(self) -> None:
        while not self._leaves():
            self._sessions += 1
            lease = Lease(f"ses_{self.node.name}.{self._sessions}", self.node.clock)
            session = self.session = Session(
                lease.session_id,
                self._registry,
                self.slots,
                self.node.clock,
                version=self.version,
                lease=lease,
            )
            link = Link(self._network, self.node, session, lease)
            await session.start(link)
            link.outbox.on_durable = self._durable
            beats = self.node.spawn(self._beat(session, lease))
            goodbye = await session.ended
            if self._leaves():
                return
            beats.cancel()
            self.node.world.note(lease.session_id, "is over:", goodbye.reason)
            await session.abandon()
            await asyncio.sleep(PAUSE_S)

    def _leaves(self) -> bool:
        return self.stopping

    async def _beat(self, session: Session, lease: Lease) -> None:
        """As `worker.beat`, which does so in a thread of its own."""
        pause = BEAT_S
        while True:
            await asyncio.sleep(min(pause, lease.left) if lease.begun else 0.5)
            if lease.begun:
                pause = BEAT_S if await self._beaten(lease) else 1.0
                if pause == 0 or lease.lapsed:
                    session.lapse()
                    return

    async def _beaten(self, lease: Lease) -> bool:
        sent_at, known, over = lease.now(), False, False
        server = self._network.pick(self.ledger.env.shard_id)

        async def beat() -> bool:
            return await server.engine.beat(self.ledger.env, lease.session_id)

        try:
            known = bool(await within(3.0, self._network.call(self.node, server, beat)))
            over = not known and lease.linked
        except MainspringError:
            return False
        if known:
            lease.renew(sent_at)
        if over and self.session is not None and self.session.lease is lease:
            self.session.lapse()
        return known

    def _durable(self, messages: list[FromWorker]) -> None:
        for message in messages:
            if isinstance(message, Record):
                self.ledger.acknowledged(message)


class Link:
    """As `worker.websocket`, over a simulated connection."""

    def __init__(self, network: Network, node: Node, session: Session, lease: Lease) -> None:
        self.outbox = Outbox()
        self._network = network
        self._node = node
        self._session = session
        self._lease = lease
        self._on_orders: OnOrders | None = None
        self._wire: Wire | None = None
        self._welcome = False
        self._sent_at = 0.0
        self._delay = FIRST_DELAY_S
        self._task: asyncio.Task[None] | None = None

    async def start(self, on_orders: OnOrders) -> None:
        self._on_orders = on_orders
        self._task = self._node.spawn(self._run())

    def send(self, messages: list[FromWorker]) -> None:
        self.outbox.add(messages)
        self._flush()

    async def close(self) -> None:
        self._on_orders = None
        if self._wire is not None:
            self._wire.close("closed")
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        chance = self._network.world.random.random
        while self._on_orders is not None:
            server = self._network.pick(self._node.ledger.env.shard_id)
            wire = self._wire = Wire(self._network, self._node, server, self._take)
            self._welcome, self._sent_at = False, self._lease.now()
            wire.open(self._session.hello())
            try:
                async with asyncio.timeout(None if self._welcome else 10.0) as limit:
                    self._limit = limit
                    await wire.closed
            except TimeoutError:
                wire.close("no welcome")
            self._wire, self._lease.linked = None, False
            await asyncio.sleep(self._delay * (0.5 + chance() / 2))
            self._delay = min(self._delay * 2, LAST_DELAY_S)

    def _take(self, orders: list[ToWorker]) -> None:
        wire = self._wire
        if wire is None or self._on_orders is None:
            return
        for order in orders:
            if isinstance(order, Welcome):
                self._limit.reschedule(None)
                self._delay, self._welcome = FIRST_DELAY_S, True
                self.outbox.ack(order.acked)
                self._lease.welcome(order.lease_s, self._sent_at)
                for kept in self.outbox.kept:
                    wire.send(kept)
        acknowledge(self.outbox, orders)
        last = orders[-1] if orders else None
        if isinstance(last, Goodbye) and last.retry:
            self._on_orders(orders[:-1])
            wire.close(last.reason)
            return
        self._on_orders(orders)
        self._flush()

    def _flush(self) -> None:
        wire = self._wire
        if wire is None or not self._welcome:
            return
        while not self.outbox.is_full and (frame := self.outbox.next()) is not None:
            wire.send(frame)
