"""A server's side of the worker protocol that does what a test tells it; over both transports."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mainspring.wire.beats import BEAT, LINK, LOST
from mainspring.wire.calls import Fault
from mainspring.wire.worker import (
    Ack,
    Answer,
    Call,
    Execute,
    Finished,
    Frame,
    FromWorker,
    Goodbye,
    Hello,
    LogLine,
    Logs,
    Started,
    ToWorker,
    Welcome,
    decode_frame,
    decode_hello,
    encoder,
)

KEY = "tr_dev_sk_" + "a" * 24
M = TypeVar("M")
Deliver = Callable[[list[ToWorker]], None]


class Engine:
    """Takes every session in, notes what it says and acknowledges it.

    Attributes:
        acks: whether frames are acknowledged; what came meanwhile is, once it is set again.
        known: what beats are answered; None refuses them.
        answer: what a Call is answered; None leaves it open.
    """

    def __init__(self) -> None:
        self.hellos: list[Hello] = []
        self.frames: list[Frame] = []
        self.beats: list[str] = []
        self.lost: list[str] = []
        self.how: list[str] = []
        self.answer: Callable[[Call], Any] | None = None
        self.known: bool | None = True
        self.refusal: Goodbye | None = None
        self.open = 0
        self._acks = True
        self._links: dict[str, Deliver] = {}
        self._durable: dict[str, int] = {}
        self._changed = asyncio.Event()

    @property
    def messages(self) -> list[FromWorker]:
        return [message for frame in self.frames for message in frame.messages]

    def of(self, kind: type[M]) -> list[M]:
        return [message for message in self.messages if isinstance(message, kind)]

    @property
    def ended(self) -> dict[str, Finished]:
        return {message.run_id: message for message in self.of(Finished)}

    @property
    def started(self) -> list[tuple[str, int]]:
        return [pair for message in self.of(Started) for pair in message.runs]

    @property
    def lines(self) -> list[LogLine]:
        return [line for message in self.of(Logs) for line in message.lines]

    @property
    def sessions(self) -> list[str]:
        return list(dict.fromkeys(hello.session_id for hello in self.hellos))

    def stop_acks(self) -> None:
        self._acks = False

    def ack_all(self) -> None:
        self._acks = True
        for session_id, deliver in self._links.items():
            self._durable[session_id] = max((f.number for f in self.frames), default=0)
            deliver([Ack(self._durable[session_id])])

    def connect(self, hello: Hello, deliver: Deliver) -> "Connection":
        self.hellos.append(hello)
        self._links[hello.session_id] = deliver
        if self.refusal is not None:
            deliver([self.refusal])
        else:
            deliver([Welcome("dev", 15.0, self._durable.get(hello.session_id, 0))])
        self._changed.set()
        return Connection(self, hello.session_id)

    def order(self, *orders: ToWorker) -> None:
        """Send these in one batch to the session that came last."""
        self._links[self.hellos[-1].session_id](list(orders))

    def order_to(self, session_id: str, *orders: ToWorker) -> None:
        self._links[session_id](list(orders))

    def hear(self, session_id: str, frame: Frame) -> None:
        self.frames.append(frame)
        for message in frame.messages:
            if isinstance(message, Call) and self.answer is not None:
                self.order(answered(message, self.answer(message)))
        if self._acks:
            self._durable[session_id] = frame.number
            self._links[session_id]([Ack(frame.number)])
        self.touch()

    def touch(self) -> None:
        self._changed.set()

    async def until(self, met: Callable[[], object]) -> None:
        """Wait until it is so; it is looked at whenever the worker has said something."""
        async with asyncio.timeout(90):
            while not met():
                self._changed.clear()
                await self._changed.wait()


class Connection:
    def __init__(self, engine: Engine, session_id: str) -> None:
        self._engine = engine
        self._session_id = session_id
        engine.open += 1

    def receive(self, frame: Frame) -> None:
        self._engine.hear(self._session_id, frame)

    def close(self) -> None:
        self._engine.open -= 1
        self._engine.touch()


def answered(call: Call, value: Any) -> Answer:
    body = msgspec.Raw(msgspec.msgpack.encode(value))
    return Answer(call.call_id, not isinstance(value, Fault), body)


def execute(task: str, run: str = "run_1", epoch: int = 1, **fields: Any) -> Execute:
    fields.setdefault("payload", "{}")
    return Execute(run, epoch, fields.pop("attempt", 1), task, queue=f"task/{task}", **fields)


class Served:
    """The engine behind HTTP and WebSocket, on a port that stays the same over restarts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.status: int | None = None
        self._sockets: set[WebSocket] = set()
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        routes = [
            WebSocketRoute(LINK, self._link),
            Route(BEAT, self._beat, methods=["POST"]),
            Route(LOST, self._lost, methods=["POST"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes),
            host="127.0.0.1",
            port=self.port,
            log_level="critical",
            lifespan="off",
            ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._task = asyncio.create_task(self._server._serve())
        async with asyncio.timeout(90):
            while not self._server.started:  # noqa: ASYNC110 - uvicorn has no signal
                await asyncio.sleep(0)

    async def cut(self) -> None:
        """Drop every connection without a word."""
        for link in list(self._sockets):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # gone already
                await link.close(1011)

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            self._server.force_exit = True
            await self.cut()
            await self._task

    async def _link(self, link: WebSocket) -> None:
        if self.status is not None or link.headers["authorization"] != f"Bearer {KEY}":
            await link.send_denial_response(JSONResponse({}, self.status or 401))
            return
        await link.accept()
        self._sockets.add(link)
        out: asyncio.Queue[list[ToWorker]] = asyncio.Queue()
        writer = asyncio.create_task(self._write(link, out))
        connection: Connection | None = None
        try:
            connection = self.engine.connect(
                decode_hello(await link.receive_bytes()), out.put_nowait
            )
            while True:
                connection.receive(decode_frame(await link.receive_bytes()))
        except WebSocketDisconnect:
            writer.cancel()
        finally:
            self._sockets.discard(link)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if connection is not None:
                connection.close()

    async def _write(self, link: WebSocket, out: asyncio.Queue[list[ToWorker]]) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                orders = await out.get()
                await link.send_bytes(encoder.encode(orders))
                if isinstance(orders[-1], Goodbye):
                    await link.close(1000)
                    return

    async def _beat(self, request: Request) -> JSONResponse:
        self.engine.beats.append((await request.json())["session_id"])
        self.engine.touch()
        if self.engine.known is None:
            return JSONResponse({"error": "not now"}, 503)
        return JSONResponse({"known": self.engine.known})

    async def _lost(self, request: Request) -> JSONResponse:
        told = await request.json()
        self.engine.lost.append(told["session_id"])
        self.engine.how.append(told["how"])
        self.engine.touch()
        return JSONResponse({"known": True})


@contextlib.asynccontextmanager
async def serving(engine: Engine) -> AsyncIterator[Served]:
    served = Served(engine)
    await served.start()
    try:
        yield served
    finally:
        await served.stop()
