"""A worker session in this process, over each transport, with tasks declared by the test."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from mainspring.clock import Clock, SystemClock
from mainspring.sdk.registry import registry
from mainspring.worker.capture import Capture
from mainspring.worker.lease import Lease
from mainspring.worker.link import InProcessLink, Link
from mainspring.worker.session import Answering, Session
from mainspring.worker.websocket import WebSocketLink
from tests.worker.engine import KEY, Engine, Served, serving


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
async def engine() -> Engine:
    return Engine()


class Worker:
    """Starts sessions of this process against the engine."""

    def __init__(self, engine: Engine, served: Served | None) -> None:
        self._engine = engine
        self._served = served
        self._sessions: list[Session] = []
        self.link: Link

    async def __call__(
        self,
        *,
        slots: int = 10,
        clock: Clock | None = None,
        lease: Lease | None = None,
        capture: Capture | None = None,
        answer: Answering | None = None,
    ) -> Session:
        name = lease.session_id if lease is not None else f"ses_{len(self._sessions) + 1}"
        session = Session(
            name,
            registry,
            slots,
            clock or SystemClock(),
            lease=lease,
            capture=capture,
            answer=answer,
        )
        if self._served is None:
            self.link = InProcessLink(self._engine.connect, session.hello)
        else:
            self.link = WebSocketLink(self._served.url, KEY, session.hello, lease=lease)
        self._sessions.append(session)
        before = len(self._engine.hellos)
        await session.start(self.link)
        await self._engine.until(lambda: len(self._engine.hellos) > before)
        return session

    async def close(self) -> None:
        for session in self._sessions:
            await session.abandon()


@pytest.fixture
async def served(engine: Engine) -> AsyncIterator[Served]:
    async with serving(engine) as server:
        yield server


@pytest.fixture
async def worker(engine: Engine) -> AsyncIterator[Worker]:
    """A session inside the engine's process."""
    made = Worker(engine, None)
    yield made
    await made.close()


@pytest.fixture
async def remote(engine: Engine, served: Served) -> AsyncIterator[Worker]:
    """A session over a WebSocket."""
    made = Worker(engine, served)
    yield made
    await made.close()


@pytest.fixture(params=["inside", "websocket"])
async def anywhere(request: pytest.FixtureRequest, engine: Engine) -> AsyncIterator[Worker]:
    """A session over each of the two."""
    async with contextlib.AsyncExitStack() as stack:
        served = None
        if request.param == "websocket":
            served = await stack.enter_async_context(serving(engine))
        made = Worker(engine, served)
        yield made
        await made.close()


Make = Callable[[], object]
