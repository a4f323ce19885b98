"""How a session and its server exchange messages, and the form inside one process. No sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mainspring.wire.worker import Ack, Frame, FromWorker, Hello, ToWorker, Welcome
from mainspring.worker.outbox import Outbox

OnOrders = Callable[[list[ToWorker]], None]


class Link(Protocol):
    """Carries batches both ways, in order. What was sent is kept and repeated until it is durable.

    Orders include `Welcome` at each (re)connection, and `Goodbye` when the session is over. A
    network link keeps a Goodbye that asks to connect again to itself, and does so; when it is
    refused for good it says so with a Goodbye of its own.
    """

    outbox: Outbox

    async def start(self, on_orders: OnOrders) -> None:
        """Begin; `on_orders` is called on this event loop. A network link connects by itself."""
        ...

    def send(self, messages: list[FromWorker]) -> None:
        """Hand over messages; never blocks. The list belongs to the link from now on."""
        ...

    async def close(self) -> None:
        """Stop delivering and drop the connection. Safe to call twice."""
        ...


class Connection(Protocol):
    """The engine's side of a link inside one process."""

    def receive(self, frame: Frame) -> None: ...
    def close(self) -> None: ...


Connect = Callable[[Hello, OnOrders], Connection]
"""The engine's `connect`, with the environment already given."""


class InProcessLink:
    """A link to an engine in the same event loop: structs are handed over as they are."""

    def __init__(self, connect: Connect, hello: Callable[[], Hello]) -> None:
        self.outbox = Outbox()
        self._connect = connect
        self._hello = hello
        self._connection: Connection | None = None
        self._on_orders: OnOrders | None = None

    async def start(self, on_orders: OnOrders) -> None:
        self._on_orders = on_orders
        self._connection = self._connect(self._hello(), self._deliver)
        self.send([])  # what was said while the engine was welcoming

    def send(self, messages: list[FromWorker]) -> None:
        outbox, connection = self.outbox, self._connection
        outbox.add(messages)
        if connection is not None:
            while (frame := outbox.next()) is not None:
                connection.receive(frame)

    async def close(self) -> None:
        self._on_orders = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _deliver(self, orders: list[ToWorker]) -> None:
        if self._on_orders is None:
            return
        acknowledge(self.outbox, orders)
        self._on_orders(orders)


def acknowledge(outbox: Outbox, orders: list[ToWorker]) -> None:
    """Forget the frames that these orders say are durable."""
    for order in orders:
        if type(order) is Ack:
            outbox.ack(order.number)
        elif type(order) is Welcome:
            outbox.ack(order.acked)
