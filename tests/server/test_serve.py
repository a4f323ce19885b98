"""A listener from start to stop, and answers that take long."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import msgspec
import pytest

from mainspring.clock import ManualClock
from mainspring.errors import ConfigurationError, PortTaken
from mainspring.server.app import build
from mainspring.server.serve import Listener, bind, loop_factory, serve
from mainspring.settings import ServerSettings
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from tests.server.conftest import KEY, Served, TableEngine


async def test_the_default_is_reached_from_this_machine_only() -> None:
    assert ServerSettings().host == "127.0.0.1"


async def test_a_port_in_use_is_named_with_the_flag_that_helps(
    served: Served, engine: TableEngine
) -> None:
    listener = Listener(build(engine), ServerSettings(port=served.port))
    with pytest.raises(PortTaken, match=f"Port {served.port} .*--port"):
        await listener.start()


@pytest.mark.parametrize(
    "host, port", [("203.0.113.1", 0), ("not an address", 0), ("127.0.0.1", 70000)]
)
def test_an_address_of_another_machine_is_a_wrong_setting(host: str, port: int) -> None:
    with pytest.raises(ConfigurationError, match="Cannot listen"):
        bind(host, port)


async def test_a_socket_that_is_bound_already_is_used(engine: TableEngine) -> None:
    bound = bind("127.0.0.1", 0)
    listener = Listener(build(engine), ServerSettings(drain_s=1), bound=bound)
    await listener.start()
    assert listener.port == bound.getsockname()[1]
    await listener.stop()
    await listener.stop()


async def test_version_six_of_the_protocol_is_served(engine: TableEngine) -> None:
    settings = ServerSettings(host="::1", port=0, drain_s=1)
    listener = Listener(build(engine, settings), settings)
    await listener.start()
    async with httpx2.AsyncClient() as client:
        response = await client.get(f"http://[::1]:{listener.port}/healthz")
    assert response.status_code == 200
    await listener.stop()


async def test_serve_ends_when_it_is_told_and_frees_its_port(engine: TableEngine) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stop = asyncio.Event()
    settings = ServerSettings(port=port, drain_s=1)
    running = asyncio.create_task(serve(build(engine, settings), settings, stop=stop))
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0)
            else:
                break
    writer.close()
    stop.set()
    async with asyncio.timeout(5):
        await running
    bind("127.0.0.1", port).close()


async def test_a_stop_waits_for_requests_that_are_being_answered(
    served: Served, engine: TableEngine
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: calls.Retrieve, env: EnvironmentRow) -> object:
        begun.set()
        await go_on.wait()
        return engine._usual(request, env)

    engine.answers[calls.Retrieve] = slow
    asking = asyncio.create_task(served.client.get("/api/v3/runs/run_1"))
    await begun.wait()
    stopping = asyncio.create_task(served.listener.stop())
    await asyncio.sleep(0)
    go_on.set()
    assert (await asking).status_code == 200
    await stopping


def test_the_fast_loop_is_a_loop() -> None:
    loop = loop_factory()()
    assert isinstance(loop, asyncio.AbstractEventLoop)
    loop.close()


class Waiting:
    """A run that nobody ends: how the engine's answer began and how it was given up."""

    def __init__(self, engine: TableEngine) -> None:
        self.begun = asyncio.Event()
        self.given_up = asyncio.Event()
        engine.answers[calls.AwaitRun] = self._wait

    async def _wait(self, request: calls.AwaitRun, env: EnvironmentRow) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.set()


AWAIT = msgspec.msgpack.encode(calls.AwaitRun("run_1", 3_600_000))


async def test_nobody_is_awaited_for_a_caller_that_has_gone(
    served: Served, engine: TableEngine
) -> None:
    waiting = Waiting(engine)
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    head = (
        f"POST /api/mainspring/v1/call HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: Bearer {KEY}\r\ncontent-length: {len(AWAIT)}\r\n\r\n"
    )
    writer.write(head.encode() + AWAIT)
    await waiting.begun.wait()
    assert not waiting.given_up.is_set()
    writer.close()
    async with asyncio.timeout(5):
        await waiting.given_up.wait()


async def test_a_stop_gives_up_long_answers_and_says_to_ask_again(
    served: Served, engine: TableEngine
) -> None:
    waiting = Waiting(engine)
    asking = asyncio.create_task(
        served.client.post("/api/mainspring/v1/call", content=AWAIT, timeout=30)
    )
    await waiting.begun.wait()
    stopping = asyncio.create_task(served.listener.stop())
    response = await asking
    assert (response.status_code, response.headers["x-should-retry"]) == (503, "true")
    await stopping


async def test_a_server_that_stops_is_not_ready(engine: TableEngine, clock: ManualClock) -> None:
    app = build(engine, ServerSettings(), clock)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/readyz")).status_code == 200
        await app.drain()
        assert (await client.get("/readyz")).status_code == 503
