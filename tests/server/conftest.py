"""A real server on loopback with an engine that answers from a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from starlette.responses import Response

from mainspring.clock import ManualClock
from mainspring.errors import MainspringError
from mainspring.ids import IdSource
from mainspring.model.audit import Entry
from mainspring.model.pepper import Pepper
from mainspring.model.run import Run, RunPage, Status, TriggerAnswer
from mainspring.server.app import ROUTES, Application, build
from mainspring.server.exchange import Exchange
from mainspring.server.port import Deliver
from mainspring.server.routes import Route
from mainspring.server.serve import Listener
from mainspring.settings import ServerSettings
from mainspring.store.access import FoundKey, KeyRow, Signing
from mainspring.store.keyring import Keyring
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.sqlite import SqliteStore
from mainspring.telemetry.metrics import Sample
from mainspring.wire import calls
from mainspring.wire.operating import InspectRun, RunDetail
from mainspring.wire.worker import Frame, Hello, Welcome
from tests.server.clients import plain

KEY = "tr_dev_sk_" + "k" * 24
OTHER_KEY = "tr_prod_sk_" + "p" * 24
PEPPER = Pepper("pepper" * 6)
DEV = EnvironmentRow(1, "dev", 1)
PROD = EnvironmentRow(2, "prod", 2)
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


class WatchedKeyring(Keyring):
    """Keys in a database, which remembers what was looked up, and may be away."""

    def __init__(self, store: SqliteStore) -> None:
        super().__init__(store.database)
        self.looked_up: list[str] = []
        self.away: MainspringError | None = None

    async def find_key(self, key_hash: str) -> FoundKey | None:
        self.looked_up.append(key_hash)
        self._check()
        return await super().find_key(key_hash)

    async def environments_of_shard(self, shard_id: int) -> list[EnvironmentRow]:
        self._check()
        return await super().environments_of_shard(shard_id)

    async def signing(self, env: int | str) -> Signing | None:
        self.looked_up.append(str(env))
        self._check()
        return await super().signing(env)

    async def make(self, key: str, env: EnvironmentRow, scopes: str = "", now: int = 0) -> KeyRow:
        """Make that key valid."""
        row = KeyRow(f"key_{key[-6:]}", env.env_id, "test", key[-4:], scopes, now)
        entry = Entry(now, env.env_id, "test", "keys.create", row.key_id)
        await self.add_key(PEPPER.stored(key), row, PEPPER.chain(), entry)
        return row

    async def end(self, key: str, now: int = 0) -> None:
        """Revoke that key."""
        found = await super().find_key(PEPPER.stored(key))
        assert found is not None
        entry = Entry(now, 0, "test", "keys.revoke")
        await self.revoke_key(found.key.key_id, now, PEPPER.chain(), entry)

    def _check(self) -> None:
        if self.away is not None:
            raise self.away


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

    def __init__(self, access: WatchedKeyring) -> None:
        self.access = access
        self.ready = True
        self.asked: list[Any] = []
        self.parents: list[str | None] = []
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
                made = [TriggerAnswer(self.new_run(env)) for _ in request.requests]
                return calls.Triggered(made, "batch_1" if request.as_batch else None)
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
            case InspectRun():
                return self._inspected(request, env)
            case _ if type(request) in ALIKE:
                return ALIKE[type(request)]
            case _:
                return Run(
                    request.run_id, "t", Status.QUEUED, "task/t", env.env_id, 1_700_000_000_000
                )

    async def _inspected(self, request: InspectRun, env: EnvironmentRow) -> RunDetail:
        """What `Retrieve` is answered with, with nothing around it."""
        retrieved = calls.Retrieve(request.run_id)
        answer = self.answers.get(calls.Retrieve)
        if isinstance(answer, Exception):
            raise answer
        run = answer(retrieved, env) if callable(answer) else answer
        run = await run if asyncio.iscoroutine(run) else run
        return RunDetail(run or self._usual(retrieved, env))

    def new_run(self, env: EnvironmentRow) -> str:
        return self._ids.new("run", 1_700_000_000_000, env.shard_id)

    def connect(self, env: EnvironmentRow, hello: Hello, deliver: Deliver) -> TableSession:
        if self.refuse_session is not None:
            raise self.refuse_session
        session = TableSession(hello, deliver)
        deliver([Welcome(env.slug, 15.0)])
        self.sessions.put_nowait(session)
        return session

    def relay(self, env: EnvironmentRow) -> None:
        return None

    async def follow(self, env: EnvironmentRow) -> None:
        return

    def beat(self, env: EnvironmentRow, session_id: str) -> bool:
        return session_id in self.alive

    def lost(self, env: EnvironmentRow, session_id: str, how: str = "") -> None:
        self.dead.append(session_id)

    def figures(self, env: EnvironmentRow) -> list[Sample]:
        return [Sample("mainspring_runs_active", "Runs that hold a slot.", 7)]


def checked(route: Route) -> Route:
    """The same route, whose answers must be what the API's description says, and nothing more."""

    async def handler(exchange: Exchange) -> Response:
        response = await route.handler(exchange)
        said = response.headers.get("content-type", "") == "application/json"
        if said and response.status_code == route.status:
            raw = msgspec.json.decode(response.body)
            found = msgspec.json.decode(response.body, type=route.gives)
            assert msgspec.to_builtins(found) == raw, f"{route.method} {route.path} says more"
        return response

    handler.__doc__ = route.handler.__doc__
    return route if route.gives is None else msgspec.structs.replace(route, handler=handler)


CHECKED = tuple(map(checked, ROUTES))


class Served:
    """A running server and a client of it that sends the key."""

    def __init__(self, app: Application, listener: Listener, engine: TableEngine) -> None:
        self.app = app
        self.listener = listener
        self.engine = engine
        self.port = listener.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = plain(self.url, {"authorization": f"Bearer {KEY}"})

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
async def engine() -> AsyncIterator[TableEngine]:
    store = SqliteStore(":memory:")
    await store.open()
    access = WatchedKeyring(store)
    for key, env in ((KEY, DEV), (OTHER_KEY, PROD)):
        assert await store.catalog.ensure_environment(env.slug) == env
        await access.make(key, env)
    yield TableEngine(access)
    await store.close()


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
    app = build(engine, server_settings, clock, pepper=PEPPER, routes=CHECKED)
    listener = Listener(app, server_settings)
    await listener.start()
    running = Served(app, listener, engine)
    try:
        async with running.client:
            yield running
    finally:
        await listener.stop()
