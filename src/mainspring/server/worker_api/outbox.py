"""Orders on their way to a worker: collected while one message is sent, split into messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from mainspring.wire.worker import Answer, Execute, ToWorker, encoder

QUEUED: Final = 64 * 1024 * 1024
"""Bytes that may wait for a worker that does not read; above, its connection is given up."""
MESSAGE: Final = 4 * 1024 * 1024
"""A message is closed above this; one order alone may be larger."""
_FRAME: Final = 128


class Outbox:
    """What is to be sent, in order. `put` never waits."""

    def __init__(self, limit: int = QUEUED) -> None:
        self._limit = limit
        self._orders: list[ToWorker] = []
        self._size = 0
        self._bell = asyncio.Event()
        self.overflow = asyncio.Event()

    def put(self, orders: list[ToWorker]) -> None:
        """Add orders. Above the limit everything is dropped and `overflow` is set for good: the
        worker connects again and hears what it missed.
        """
        if self.overflow.is_set():
            return
        self._orders += orders
        self._size += sum(map(size_of, orders))
        if self._size > self._limit:
            self.overflow.set()
            self._orders = []
            return
        self._bell.set()

    async def take(self) -> list[ToWorker]:
        """Everything that waits, once there is something."""
        await self._bell.wait()
        self._bell.clear()
        orders, self._orders, self._size = self._orders, [], 0
        return orders


def messages(orders: list[ToWorker]) -> Iterator[bytes]:
    """Orders as binary messages of a bearable size, in order."""
    part: list[ToWorker] = []
    size = 0
    for order in orders:
        part.append(order)
        size += size_of(order)
        if size > MESSAGE:
            yield encoder.encode(part)
            part, size = [], 0
    if part:
        yield encoder.encode(part)


def size_of(order: ToWorker) -> int:
    """About how many bytes an order has; never less than a third of it."""
    if isinstance(order, Execute):
        return _FRAME + len(order.payload) + len(order.metadata or "")
    if isinstance(order, Answer):
        return _FRAME + memoryview(order.body).nbytes
    return _FRAME
