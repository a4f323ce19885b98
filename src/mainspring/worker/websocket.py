"""A session's link over one WebSocket: connects, reconnects, repeats. Meaning lives elsewhere."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from mainspring.wire.beats import LINK
from mainspring.wire.worker import (
    Frame,
    FromWorker,
    Goodbye,
    Hello,
    ToWorker,
    Welcome,
    decode_orders,
    encoder,
)
from mainspring.worker.lease import Lease
from mainspring.worker.link import OnOrders, acknowledge
from mainspring.worker.outbox import Outbox
from mainspring.worker.posts import credentials
from mainspring.worker.proxies import proxy_for

FIRST_DELAY_S: Final = 0.1
LAST_DELAY_S: Final = 5.0
OPEN_TIMEOUT_S: Final = 10.0
PING_S: Final = 20.0
# user code may hold the event loop for a while; the lease has its own thread and decides
PONG_S: Final = 60.0
MAX_SIZE: Final = 64 * 1024 * 1024
REFUSALS: Final = {
    400: "the server does not understand this worker; run the same release on both sides",
    401: "the server does not know the key; check MAINSPRING_SECRET_KEY",
    403: "the key may not open worker sessions",
    404: "no worker endpoint is at that URL; check it and the server's release",
}

log = logging.getLogger("mainspring.worker")


class WebSocketLink:
    """A link to a server elsewhere. Lost connections are made again by itself, with backoff.

    `refusal_code` is the code of the error for which a Goodbye of this link stands.

    Frames that are not durable yet are sent again after each reconnect, in order and before new
    ones. While a frame is being sent, further messages wait and go together in the next one.

    Args:
        hello: what to say first on each connection; called anew each time.
        lease: begins at each Welcome, counted from the Hello; None in tests without one.
        tell: told True when the connection is up, and False with the reason when it is down.
    """

    def __init__(
        self,
        url: str,
        key: str,
        hello: Callable[[], Hello],
        *,
        lease: Lease | None = None,
        tell: Callable[[bool, str], None] = lambda up, reason: None,
        environment: str = "",
    ) -> None:
        self.outbox = Outbox()
        self._server = url
        self._url = socket_url(url)
        self._key = key
        self._environment = environment
        self._hello = hello
        self._lease = lease
        self._tell = tell
        self._bell = asyncio.Event()
        self._on_orders: OnOrders | None = None
        self._task: asyncio.Task[None] | None = None
        self._delay = FIRST_DELAY_S
        self.refusal_code = "conflict"

    async def start(self, on_orders: OnOrders) -> None:
        self._on_orders = on_orders
        self._task = asyncio.create_task(self._run(), name="worker link")

    def send(self, messages: list[FromWorker]) -> None:
        self.outbox.add(messages)
        self._bell.set()

    async def close(self) -> None:
        self._on_orders = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while self._on_orders is not None:
            try:
                reason = await self._connected()
            except InvalidStatus as error:
                status = error.response.status_code
                if status in REFUSALS:
                    self.refusal_code = "unauthorized" if status in (401, 403) else "configuration"
                    reason = f"{self._url} answered {status}: {REFUSALS[status]}."
                    self._deliver([Goodbye(reason, retry=False)])
                    return
                reason = f"{self._url} answered {status}"
            except (OSError, TimeoutError, WebSocketException, msgspec.MsgspecError) as error:
                reason = f"{type(error).__name__}: {error}"
            if self._lease is not None:
                self._lease.linked = False
            self._tell(False, reason)
            await asyncio.sleep(self._delay * (0.5 + random.random() / 2))
            self._delay = min(self._delay * 2, LAST_DELAY_S)

    async def _connected(self) -> str:
        """One connection, from its opening to its end; answers why it ended."""
        async with connect(
            self._url,
            additional_headers=credentials(self._key, self._environment),
            compression=None,
            proxy=proxy_for(self._server),
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=PING_S,
            ping_timeout=PONG_S,
            max_size=MAX_SIZE,
            max_queue=64,
            close_timeout=1,
        ) as socket:
            sent_at = self._lease.now() if self._lease is not None else 0.0
            await socket.send(encoder.encode(self._hello()))
            # not wait_for: on 3.11 it may swallow the cancellation of `close`
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                first = decode_orders(_binary(await socket.recv()))
            for order in first:
                if isinstance(order, Welcome):
                    self._welcomed(order, sent_at)
            again = self.outbox.kept
            if (goodbye := self._take(first)) is not None:
                return goodbye
            writer = asyncio.create_task(self._write(socket, again), name="worker link writer")
            try:
                async for data in socket:
                    if (goodbye := self._take(decode_orders(_binary(data)))) is not None:
                        return goodbye
            finally:
                writer.cancel()
                (end,) = await asyncio.gather(writer, return_exceptions=True)
                if isinstance(end, Exception):
                    log.error("the link to %s could not send", self._url, exc_info=end)
        return "the server closed the connection"

    def _welcomed(self, welcome: Welcome, sent_at: float) -> None:
        self._delay = FIRST_DELAY_S
        self.outbox.ack(welcome.acked)
        if self._lease is not None:
            self._lease.welcome(welcome.lease_s, sent_at)
        self._tell(True, "")

    async def _write(self, socket: ClientConnection, again: list[Frame]) -> None:
        """Send the frames of before, then what is handed over, as long as the connection lives."""
        try:
            for kept in again:
                await socket.send(encoder.encode(kept))
            while True:
                self._bell.clear()
                while not self.outbox.is_full and (frame := self.outbox.next()) is not None:
                    await socket.send(encoder.encode(frame))
                await self._bell.wait()
        except ConnectionClosed:
            return  # the reader sees it too and connects again; the frames are kept
        finally:
            await socket.close()

    def _take(self, orders: list[ToWorker]) -> str | None:
        """Pass orders on; the reason when the server ends this connection but not the session."""
        acknowledge(self.outbox, orders)
        self._bell.set()  # there may be room again
        last = orders[-1] if orders else None
        if isinstance(last, Goodbye) and last.retry:
            # whether the session is over as well, its lease and the next beat will tell
            self._deliver(orders[:-1])
            return last.reason
        self._deliver(orders)
        return None

    def _deliver(self, orders: list[ToWorker]) -> None:
        if self._on_orders is not None:
            self._on_orders(orders)


def socket_url(url: str) -> str:
    """Where the link of the server at `url` is: `https://host/base` → `wss://host/base/api/…`."""
    parts = urlsplit(url.rstrip("/"))
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path + LINK, "", ""))


def _binary(data: str | bytes) -> bytes:
    if isinstance(data, str):
        raise msgspec.DecodeError("the server sent text where binary frames are spoken")
    return data
