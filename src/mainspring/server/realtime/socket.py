"""`/api/v1/realtime`: many subscriptions on one WebSocket, each at its own place and pace.

One task for a socket, whatever it has subscribed to. What is sent has to be acknowledged: who does
not is sent nothing more of that subscription, and after a while it is ended with its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

import msgspec
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from mainspring.errors import CallerError, Forbidden, MainspringError, NotFound, StoreUnavailable
from mainspring.server.caller import Admitted
from mainspring.server.port import WatchPort
from mainspring.server.realtime.shapes import GATHER_S, created_from, resources, tag_list
from mainspring.server.realtime.subscription import (
    WINDOW,
    LineFeed,
    RunFeed,
    Subscription,
)
from mainspring.server.watch.hub import Hub
from mainspring.server.watch.subject import Subject
from mainspring.wire import realtime as said

PATH: Final = "/api/v1/realtime"
PROTOCOL: Final = "mainspring"
TOKEN: Final = "token."  # noqa: S105 - what stands before one
MOST: Final = 1_000
"""Subscriptions of one socket."""
MESSAGE: Final = 64 * 1024
SEND_S: Final = 30.0
"""A socket that takes nothing for so long is closed."""
BAD_DATA, GOING_AWAY, TOO_BIG = 1007, 1001, 1009
NOW: Final = "now"
"""The offset of who wants to hear only of what comes."""
_OFFSET: Final = re.compile(rf"\d{{0,19}}|{NOW}")
_decode: Final = msgspec.json.Decoder(said.FromClient).decode
_encode: Final = msgspec.json.Encoder().encode


def authorization(scope: Scope, header: str | None) -> str | None:
    """The Authorization header, or what browsers send instead: the subprotocol `token.<token>` or
    the query's `token`.
    """
    if header is not None:
        return header
    for name in scope.get("subprotocols", ()):
        if name.startswith(TOKEN):
            return f"Bearer {name.removeprefix(TOKEN)}"
    found = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return f"Bearer {found[0]}" if found else None


def environment_of(scope: Scope) -> str:
    """The environment that the query names, for pages, which cannot send the header."""
    found = parse_qs(scope["query_string"].decode("latin-1")).get("environment")
    return found[0] if found else ""


async def serve_subscriber(
    socket: WebSocket, admitted: Admitted, hub: Hub, now: Callable[[], int]
) -> None:
    """One socket from its acceptance to its end. Raises: Forbidden, StoreUnavailable."""
    caller = admitted.caller
    caller.permit("read", "runs", public=True)
    if caller.once is not None:
        raise Forbidden("Unauthorized: a token for one request opens no socket.")
    watch = hub.watch(admitted.env)
    offered = socket.scope.get("subprotocols", ())
    try:
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):  # gone, or as good as gone
            await socket.accept(PROTOCOL if PROTOCOL in offered else None)
            await Subscriber(socket, admitted, hub, now).run(watch)
    finally:
        hub.leave(watch)


class Subscriber:
    """The socket while it is open."""

    def __init__(
        self, socket: WebSocket, admitted: Admitted, hub: Hub, now: Callable[[], int]
    ) -> None:
        self._socket = socket
        self._env = admitted.env
        self._caller = admitted.caller
        self._hub = hub
        self._now = now
        self._open: dict[str, Subscription] = {}
        self._ready: dict[str, None] = {}
        self._alarm: asyncio.Timeout | None = None

    async def run(self, server: WatchPort) -> None:
        """Until one side ends it. `server` closes when this server stops.

        Raises: WebSocketDisconnect, TimeoutError when the socket takes nothing any more.
        """
        server.on_ring = self._wake
        try:
            while not server.closed:
                await self._advance()
                text = await self._heard()
                if text is not None and not await self._obey(text):
                    return
            retry = random.randint(500, 3_000)
            await self._send(said.Goodbye(retry))
            await self._socket.close(GOING_AWAY)
        finally:
            server.on_ring = None
            for one in self._open.values():
                self._hub.leave(one.reader.watch)

    async def _heard(self) -> str | bytes | None:
        """What the client says next; None when there is something to tell it first, or to look at.

        Raises: WebSocketDisconnect.
        """
        try:
            async with asyncio.timeout(self._hub.ping_s) as self._alarm:
                if self._ready:
                    self._wake()
                message = await self._socket.receive()
        except TimeoutError:
            return None
        finally:
            self._alarm = None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str | None = message.get("text")
        data: bytes = message.get("bytes") or b""
        return text if text is not None else data

    async def _obey(self, text: str | bytes) -> bool:
        """Do what is said; False once the socket is closed over it."""
        if len(text) > MESSAGE:
            await self._socket.close(TOO_BIG, "a message has at most 64 KiB")
            return False
        try:
            message = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            await self._send(said.Refused("", "bad_request", f"Unreadable: {error}."))
            await self._socket.close(BAD_DATA)
            return False
        one = self._open.get(message.id)
        match message:
            case said.Subscribe():
                await self._subscribe(message)
            case said.Unsubscribe() if one is not None:
                await self._end(one, "unsubscribed")
            case said.Ack() if one is not None:
                one.flow.acknowledge(message.offset)
                self._ready[one.id] = None
            case _:
                pass  # it has ended meanwhile
        return True

    async def _subscribe(self, message: said.Subscribe) -> None:
        try:
            if message.id in self._open or len(self._open) >= MOST:
                raise CallerError(
                    f"{message.id[:60]!r} is subscribed already."
                    if message.id in self._open
                    else f"A socket has at most {MOST} subscriptions; open another one."
                )
            one = await self._opened(message)
        except MainspringError as error:
            await self._send(said.Refused(message.id, error.code, error.message))
            return
        self._open[one.id] = one
        alone = bool(one.reader.subject.run_id)
        one.reader.watch.on_ring = lambda: self._ring(one.id) if alone else self._gather(one)
        await self._send(said.Subscribed(one.id, WINDOW))
        self._ring(one.id)

    async def _opened(self, message: said.Subscribe) -> Subscription:
        """Raises: CallerError, NotFound, Forbidden, StoreUnavailable."""
        offset, logs = message.from_, message.topic == "logs"
        good = _OFFSET.fullmatch(offset) and not (logs and offset == NOW)
        if not good or (offset.isdigit() and int(offset) >= 1 << 63):
            raise CallerError(f"from is {message.from_[:60]!r}; send an offset, or nothing.")
        subject = self._subject(message)
        more = [("logs", subject.run_id)] if logs else []
        reader = self._hub.reader(self._env, subject, *more)
        try:
            if subject.run_id:
                row = await reader.one()
                if row is None:
                    raise NotFound(f"No run {subject.run_id[:80]!r} in this environment.")
                self._caller.allow("read", resources(row.run))
        except BaseException:
            self._hub.leave(reader.watch)
            raise
        if logs:
            return LineFeed(message.id, reader, self._hub.lines(self._env), offset)
        return RunFeed(message.id, reader, str(reader.last) if offset == NOW else offset)

    def _subject(self, message: said.Subscribe) -> Subject:
        """Raises: CallerError, Forbidden."""
        env_id = self._env.env_id
        match message.topic:
            case "run" | "logs":
                if not message.run:
                    raise CallerError(f"A subscription to {message.topic} names a run.")
                return Subject(env_id, run_id=message.run)
            case "batch":
                if not message.batch:
                    raise CallerError("A subscription to a batch names it.")
                self._caller.allow("read", [("batch", message.batch)])
                return Subject(env_id, batch_id=message.batch)
            case "tags":
                tags = tag_list(message.tags)
                if not tags:
                    raise CallerError("A subscription to tags names at least one.")
                for tag in tags:
                    self._caller.allow("read", [("tags", tag)])
            case "list":
                tags = ()
                self._caller.allow("read", [("runs", "")])
        since = created_from(message.created_at, self._now()) if message.created_at else 0
        return Subject(env_id, tags=tags, created_from=since)

    async def _advance(self) -> None:
        """Send what there is to send, a message of each subscription in turn."""
        for one in list(self._open.values()):
            if one.flow.is_late(self._hub.ack_s):
                await self._end(one, "slow")
        while self._ready:
            ready, self._ready = self._ready, {}
            for id_ in ready:
                found = self._open.get(id_)
                if found is not None and not found.flow.is_full:
                    await self._tell(found)

    async def _tell(self, one: Subscription) -> None:
        if one.reader.watch.closed:
            await self._end(one, "moved")
            return
        try:
            message = await one.next()
        except StoreUnavailable:
            await self._end(one, "moved")
            return
        if message is None:
            return
        if isinstance(message, said.Ended):
            await self._end(one, message.reason)
            return
        one.flow.sent(one.offset)
        await self._send(message)
        self._ready[one.id] = None

    async def _end(self, one: Subscription, reason: said.Reason) -> None:
        del self._open[one.id]
        one.reader.watch.on_ring = None
        self._hub.leave(one.reader.watch)
        await self._send(said.Ended(one.id, one.offset, reason))

    async def _send(self, message: said.FromServer) -> None:
        async with asyncio.timeout(SEND_S):
            await self._socket.send_text(_encode(message).decode())

    def _ring(self, id_: str) -> None:
        self._ready[id_] = None
        self._wake()

    def _gather(self, one: Subscription) -> None:
        """A list has changed: tell it at once, and what comes right after it together."""
        if one.gathering:
            return
        loop = asyncio.get_running_loop()
        begin = max(loop.time(), one.quiet_until)
        one.quiet_until = begin + GATHER_S
        if begin > loop.time():
            one.gathering = True
            loop.call_at(begin, self._gathered, one)
        else:
            self._ring(one.id)

    def _gathered(self, one: Subscription) -> None:
        one.gathering = False
        if self._open.get(one.id) is one:
            self._ring(one.id)

    def _wake(self) -> None:
        if self._alarm is not None and not self._alarm.expired():
            self._alarm.reschedule(0)
