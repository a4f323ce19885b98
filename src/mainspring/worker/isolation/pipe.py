"""Frames and orders between a worker and the process of one run: msgpack behind its length.

The process writes frames as a worker does to its server, and reads orders as from one; both go
over a stream socket. What is in them is not looked at here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import Final, cast

from mainspring.wire.worker import (
    Frame,
    FromWorker,
    LogLine,
    Logs,
    ToWorker,
    decode_frame,
    decode_orders,
    encoder,
)
from mainspring.worker.link import OnOrders, acknowledge
from mainspring.worker.outbox import Outbox

_LENGTH: Final = struct.Struct(">I")
_PIECE: Final = 256 * 1024
UNNUMBERED: Final = 0
"""The number of a frame that is not to be acknowledged."""


class Parts:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete."""
        buffer = self._data
        buffer += data
        found: list[bytes] = []
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            end = start + _LENGTH.size + _LENGTH.unpack_from(buffer, start)[0]
            if len(buffer) < end:
                break
            found.append(bytes(buffer[start + _LENGTH.size : end]))
            start = end
        if start:
            del buffer[:start]
        return found


def message(data: bytes) -> bytes:
    """The message with its length before it."""
    return _LENGTH.pack(len(data)) + data


class PipeLink:
    """The link of a session that is the process of one run. When its worker closes it, the process
    ends on the spot: no `finally` runs, no buffer is written.
    """

    def __init__(self, fd: int) -> None:
        self.outbox = Outbox()
        self._socket = socket.socket(fileno=fd)
        self._parts = Parts()
        self._lock = threading.Lock()
        self._on_orders: OnOrders | None = None
        self.heard: OnOrders = lambda orders: None
        """Told of all orders, before they are obeyed."""

    def first(self) -> list[ToWorker]:
        """The first batch of orders; blocks. Nothing when the worker is gone."""
        while True:
            data = self._socket.recv(_PIECE)
            parts = self._parts.feed(data)
            if parts or not data:
                return [order for part in parts for order in decode_orders(part)]

    async def start(self, on_orders: OnOrders) -> None:
        self._on_orders = on_orders
        self._socket.setblocking(True)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def send(self, messages: list[FromWorker]) -> None:
        outbox = self.outbox
        outbox.add(messages)
        while (frame := outbox.next()) is not None:
            self._write(encoder.encode(frame))

    def log(self, line: LogLine) -> None:
        """Hand a line over before this returns, from any thread: the process may end badly next."""
        self._write(encoder.encode(Frame(UNNUMBERED, [Logs([line])])))

    async def close(self) -> None:
        """Nothing to do: the process ends with its link."""

    def _write(self, data: bytes) -> None:
        try:
            with self._lock:
                self._socket.sendall(message(data))
        except OSError:
            os._exit(0)  # the worker has closed it

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(0)
        for part in self._parts.feed(data):
            orders = decode_orders(part)
            acknowledge(self.outbox, orders)
            self.heard(orders)
            if self._on_orders is not None:
                self._on_orders(orders)


class WorkerEnd(asyncio.Protocol):
    """The worker's end of the link.

    Args:
        heard: called for each frame of the process.
        lost: called once when the link has ended, by whichever side.

    Attributes:
        closed: whether it has.
    """

    def __init__(self, heard: Callable[[Frame], None], lost: Callable[[], None]) -> None:
        self.closed = False
        self._parts = Parts()
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.WriteTransport | None = None

    async def open(self, end: socket.socket) -> None:
        """Begin, on our end of the pair."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=end)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._lost()

    def data_received(self, data: bytes) -> None:
        for part in self._parts.feed(data):
            self._heard(decode_frame(part))

    def send(self, orders: list[ToWorker]) -> None:
        """Tell the process something, if it still is there."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(message(encoder.encode(orders)))

    def close(self) -> None:
        """Have the process end on the spot."""
        if self._transport is not None:
            self._transport.close()
