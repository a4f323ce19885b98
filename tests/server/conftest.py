"""A real server on loopback with an engine that answers from a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from mainspring.clock import ManualClock
from mainspring.errors import MainspringError
from mainspring.ids import IdSource
from mainspring.model.key import key_hash
from mainspring.model.run import Run, RunPage, Status, TriggerAnswer
from mainspring.server.app import Application, build
from mainspring.server.port import Deliver
from mainspring.server.serve import Listener
from mainspring.settings import ServerSettings
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from mainspring.wire.worker import Frame, Hello, Welcome

KEY = "tr_dev_sk_" + "k" * 24
OTHER_KEY = "tr_prod_sk_" + "p" * 24
DEV = EnvironmentRow(1, "dev", 3)
PROD = EnvironmentRow(2, "prod", 4)
ALIKE = {
    calls.ListRuns: RunPage([]),
    calls.ListLogs: calls.LogPage([]),
    calls.CreateToken: calls.Token("waitpoint_1", "waiting", 1_700_000_000_000),
    calls.ListTokens: calls.TokenPage([]),
    calls.SendInput: calls.Sent(3),
    calls.EmitEvent: calls.Sent(3),
    calls.ListJournal: calls.Journal(0, []),
}
"""What is answered alike whatever was asked."""


class Counter:
    """Bits that count, so that ids are the same each time."""

    def __init__(self) -> None:
        self.next = 0

    def getrandbits(self, k: int, /) -> int:
        self.next += 1
        return self.next


class TableSession:
    def __init__(self, hello: Hello, deliver: Deliver) -> None:
        self.hello = hello
        self.deliver = deliver
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.refuse: MainspringError | None = None

    def receive(self, frame: Frame) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.frames.put_nowait(frame)

    def close(self) -> None:
        self.closed.set()


class TableEngine:
    """An engine port that answers each request as its table says and remembers what was asked."""

    def __init__(self) -> None:
        self.ready = True
        self.asked: list[Any] = []
        self.parents: list[str | None] = []
        self.looked_up: list[str] = []
        self.away: MainspringError | None = None
        self.environments = {key_hash(KEY): DEV, key_hash(OTHER_KEY): PROD}
        self.answers: dict[type, Any] = {}
        self.sessions: asyncio.Queue[TableSession] = asyncio.Queue()
        self.refuse_session: MainspringError | None = None
        self.alive: set[str] = set()
        self.dead: list[str] = []
        self._ids = IdSource(Counter())

    async def answer(
        self, env: EnvironmentRow, request: calls.Request, run_id: str | None = None
    ) -> Any:
        self.asked.append(request)
        self.parents.append(run_id)
        answer = self.answers.get(type(request), self._usual)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Callable):
            answer = answer(request, env)
        return await answer if asyncio.iscoroutine(answer) else answer

    def _usual(self, request: Any, env: EnvironmentRow) -> Any:
        match request:
            case calls.Trigger():
                return calls.Triggered([TriggerAnswer(self.new_run(env)) for _ in request.requests])
            case calls.ListQueues():
                return calls.QueueList([calls.Queue("task/mail/send"), calls.Queue("mail/out")])
            case calls.PauseQueue():
                return calls.Queue(request.name, paused=request.paused)
            case calls.SetQueue():
                return calls.Queue(request.name, limit=request.limit)
            case calls.ReplayRun() | calls.ResetKey() | calls.RestartRun():
                return TriggerAnswer(self.new_run(env))
            case calls.GetToken() | calls.CompleteToken():
                return calls.Token(request.token_id, "waiting", 1_700_000_000_000)
            case _ if type(request) in ALIKE:
                return ALIKE[type(request)]
            case _:
                return Run(
                    request.run_id, "t", Status.QUEUED, "task/t", env.env_id, 1_700_000_000_000
                )

    def new_run(self, env: EnvironmentRow) -> str:
        return self._ids.new("run", 1_700_000_000_000, env.shard_id)

    async def environment_of_key(self, hash_: str) -> EnvironmentRow | None:
        self.looked_up.append(hash_)
        if self.away is not None:
            raise self.away
        return self.environments.get(hash_)

    async def keys_of_shard(self, shard_id: int) -> list[tuple[str, EnvironmentRow]]:
        if self.away is not None:
            raise self.away
        keys = self.environments.items()
        return [(hash_, env) for hash_, env in keys if env.shard_id == shard_id]

    def connect(self, env: EnvironmentRow, hello: Hello, deliver: Deliver) -> TableSession:
        if self.refuse_session is not None:
            raise self.refuse_session
        session = TableSession(hello, deliver)
        deliver([Welcome(env.slug, 15.0)])
        self.sessions.put_nowait(session)
        return session

    def beat(self, env: EnvironmentRow, session_id: str) -> bool:
        return session_id in self.alive

    def lost(self, env: EnvironmentRow, session_id: str) -> None:
        self.dead.append(session_id)


class Served:
    """A running server and a client of it that sends the key."""

    def __init__(self, app: Application, listener: Listener, engine: TableEngine) -> None:
        self.app = app
        self.listener = listener
        self.engine = engine
        self.port = listener.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx2.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {KEY}"}
        )

    async def raw(self, data: bytes) -> bytes:
        """Everything that the server answers to these bytes until it closes or falls silent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        parts = []
        try:
            async with asyncio.timeout(0.3):
                while part := await reader.read(65536):
                    parts.append(part)
        except (TimeoutError, ConnectionResetError):
            parts.append(b"")
        writer.close()
        return b"".join(parts)


@pytest.fixture
def engine() -> TableEngine:
    return TableEngine()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server_settings() -> ServerSettings:
    return ServerSettings(port=0, drain_s=1)


@pytest.fixture
async def served(
    engine: TableEngine, clock: ManualClock, server_settings: ServerSettings
) -> AsyncIterator[Served]:
    app = build(engine, server_settings, clock)
    listener = Listener(app, server_settings)
    await listener.start()
    running = Served(app, listener, engine)
    try:
        async with running.client:
            yield running
    finally:
        await listener.stop()
