"""What another server asks of this one: calls, sessions and watches of the shards owned here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import msgspec

from mainspring.engine.engine import Engine
from mainspring.engine.feed import Digest, Topic
from mainspring.errors import Conflict, Elsewhere, MainspringError
from mainspring.server.peers import frames
from mainspring.server.peers.frames import Message, Wire
from mainspring.server.port import SessionPort
from mainspring.server.worker_api.outbox import Outbox, messages
from mainspring.store.environment import EnvironmentRow
from mainspring.wire import calls
from mainspring.wire.errors import should_retry
from mainspring.wire.worker import Goodbye, decode_frame, decode_hello, encoder

T = TypeVar("T")
Asked = tuple[EnvironmentRow, str | None]

_asked: Final = msgspec.msgpack.Decoder(Asked).decode
_environment: Final = msgspec.msgpack.Decoder(EnvironmentRow).decode
_shard: Final = msgspec.msgpack.Decoder(int).decode
_request: Final = msgspec.msgpack.Decoder(calls.Request).decode
_encode: Final = msgspec.msgpack.Encoder().encode


class Incoming:
    """One connection that another server has made, until it ends."""

    def __init__(self, engine: Engine, wire: Wire) -> None:
        self._engine = engine
        self._wire = wire
        self._sessions: dict[int, SessionPort] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._untap: dict[int, Callable[[], None]] = {}

    async def run(self) -> None:
        """Answer until the connection ends; sessions and watches of it end with it."""
        try:
            while (message := await self._wire.receive()) is not None:
                self._take(message)
        finally:
            self._wire.close()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            for session in self._sessions.values():
                session.close()
            for untap in self._untap.values():
                untap()

    def _take(self, message: Message) -> None:
        id_ = message.id
        match message.kind:
            case frames.CALL:
                self._begin(id_, self._call(message))
            case frames.FLUSH:
                self._begin(id_, self._flush(message))
            case frames.CANCEL if id_ in self._tasks:
                self._tasks[id_].cancel()
            case frames.OPEN:
                self._begin(id_, self._open(message))
            case frames.FRAME if id_ in self._sessions:
                self._hear(message)
            case frames.CLOSE:
                self._close(id_)
            case frames.BEAT | frames.LOST:
                self._begin(id_, self._beat(message))
            case frames.TAP:
                self._begin(id_, self._tap(message))
            case frames.LOOK:
                self._engine.shares.told()
            case frames.FORGET:
                self._engine.variables.forget()
            case _:
                return

    def _begin(self, id_: int, work: Coroutine[Any, Any, None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except MainspringError as error:
                self._wire.send(frames.FAULT, id_, frames.fault(error))
            except msgspec.MsgspecError as error:
                conflict = Conflict(f"The servers do not understand each other: {error}.")
                self._wire.send(frames.FAULT, id_, frames.fault(conflict))

        task = self._tasks[id_] = asyncio.create_task(guarded(), name="peer call")
        task.add_done_callback(lambda _: self._tasks.pop(id_, None))

    async def _call(self, message: Message) -> None:
        env, run_id = _asked(message.meta)
        answer = await self._engine.answer(env, _request(message.body), run_id)
        self._wire.send(frames.ANSWER, message.id, None, _encode(answer))

    async def _flush(self, message: Message) -> None:
        env = _environment(message.meta)
        self._engine.shares.owner(env)
        await self._engine.doors[env.shard_id].flush_logs()
        self._wire.send(frames.ANSWER, message.id)

    async def _beat(self, message: Message) -> None:
        env, session_id = _asked(message.meta)
        known = True
        if message.kind == frames.BEAT:
            known = await self._engine.beat(env, session_id or "")
        else:
            self._engine.lost(env, session_id or "", bytes(message.body).decode())
        self._wire.send(frames.ANSWER, message.id, known)

    async def _open(self, message: Message) -> None:
        """Let a session in that another server relays, until it or its server ends."""
        outbox, id_ = Outbox(), message.id
        env = _environment(message.meta)
        try:
            session = self._engine.connect(env, decode_hello(message.body), outbox.put)
        except Elsewhere:
            raise
        except MainspringError as error:
            goodbye = Goodbye(error.message, retry=should_retry(error))
            self._wire.send(frames.PART, id_, None, encoder.encode([goodbye]))
            self._wire.send(frames.END, id_)
            return
        self._sessions[id_] = session
        over = asyncio.create_task(outbox.overflow.wait(), name="peer overflow")
        writing = asyncio.create_task(self._write(outbox, id_), name="peer session")
        try:
            await asyncio.wait((over, writing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (over, writing):
                task.cancel()
            await asyncio.gather(over, writing, return_exceptions=True)
            self._wire.send(frames.END, id_)
            self._sessions.pop(id_, session).close()

    async def _write(self, outbox: Outbox, id_: int) -> None:
        with contextlib.suppress(OSError):  # the reader sees the end of the connection, too
            while True:
                orders = await outbox.take()
                for data in messages(orders):
                    self._wire.send(frames.PART, id_, None, data)
                    await self._wire.drained()
                if orders and isinstance(orders[-1], Goodbye):
                    return

    def _hear(self, message: Message) -> None:
        try:
            self._sessions[message.id].receive(decode_frame(message.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._close(message.id)

    def _close(self, id_: int) -> None:
        session = self._sessions.pop(id_, None)
        if session is not None:
            session.close()
        untap = self._untap.pop(id_, None)
        if untap is not None:
            untap()
        if id_ in self._tasks:
            self._tasks[id_].cancel()

    async def _tap(self, message: Message) -> None:
        """Tell another server what becomes durable in a shard."""
        env = _environment(message.meta)
        feed, id_, wire = self._engine.shares.owner(env).feed, message.id, self._wire

        def told(digest: Digest | None, topics: tuple[Topic, ...], last: int) -> None:
            if digest is None and not topics and last < 0:
                wire.send(frames.END, id_)
            else:
                wire.send(frames.PART, id_, (digest, topics, last))

        self._untap[id_] = feed.tap(told)
