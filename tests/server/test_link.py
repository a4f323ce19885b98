"""The socket of a worker session, and the posts beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mainspring.errors import Conflict, FencedOut, MainspringError, StoreUnavailable
from mainspring.server.worker_api.outbox import MESSAGE, Outbox, messages
from mainspring.wire.beats import BEAT, LINK, LOST
from mainspring.wire.worker import (
    PROTOCOL,
    Ack,
    Answer,
    Execute,
    Frame,
    Goodbye,
    Hello,
    Started,
    ToWorker,
    Welcome,
    decode_orders,
    encoder,
)
from tests.server.conftest import KEY, Served, TableSession

HELLO = Hello(PROTOCOL, "session_1", 10, "1", [], [])


@asynccontextmanager
async def linked(
    served: Served, key: str = KEY, hello: bytes | None = None
) -> AsyncIterator[ClientConnection]:
    headers = {"authorization": f"Bearer {key}"}
    url = f"ws://127.0.0.1:{served.port}{LINK}"
    async with connect(
        url, additional_headers=headers, compression=None, max_size=None, proxy=None
    ) as socket:
        await socket.send(encoder.encode(HELLO) if hello is None else hello)
        yield socket


async def orders(socket: ClientConnection) -> list[ToWorker]:
    data = await socket.recv()
    assert isinstance(data, bytes)
    return decode_orders(data)


async def session_of(served: Served) -> TableSession:
    async with asyncio.timeout(5):
        return await served.engine.sessions.get()


async def test_a_session_says_hello_is_welcomed_and_its_frames_arrive(served: Served) -> None:
    async with linked(served) as socket:
        assert await orders(socket) == [Welcome("dev", 15.0)]
        session = await session_of(served)
        assert session.hello == HELLO
        frame = Frame(1, [Started([("run_1", 1)])])
        await socket.send(encoder.encode(frame))
        assert await session.frames.get() == frame
        session.deliver([Ack(1)])
        assert await orders(socket) == [Ack(1)]
        assert not session.closed.is_set()
    async with asyncio.timeout(5):
        await session.closed.wait()


async def test_what_is_delivered_in_one_turn_is_one_message(served: Served) -> None:
    async with linked(served) as socket:
        await orders(socket)
        session = await session_of(served)
        for number in range(5):
            session.deliver([Ack(number), Ack(number)])
        assert [order.number for order in await orders(socket)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


async def test_much_at_once_is_several_messages_in_order(served: Served) -> None:
    async with linked(served) as socket:
        await orders(socket)
        session = await session_of(served)
        payload = "x" * (MESSAGE // 3)
        session.deliver([Execute(str(n), 1, 1, "t", payload, "q") for n in range(10)])
        parts = [await orders(socket) for _ in range(3)]
        assert [order.run_id for part in parts for order in part] == list("0123456789")[:9]
        assert [order.run_id for order in await orders(socket)] == ["9"]


async def test_a_worker_that_does_not_read_is_given_up_and_not_waited_for(served: Served) -> None:
    async with linked(served) as socket:
        session = await session_of(served)
        socket.transport.pause_reading()
        order = Execute("run_1", 1, 1, "t", "x" * 3_000_000, "q")
        async with asyncio.timeout(20):
            while not session.closed.is_set():
                session.deliver([order])
                await asyncio.sleep(0)
        socket.transport.abort()


async def test_a_wrong_key_is_refused_before_the_socket_opens(served: Served) -> None:
    for key in ("tr_dev_sk_" + "x" * 24, "nonsense"):
        with pytest.raises(InvalidStatus) as refused:
            async with linked(served, key):
                pass
        response = refused.value.response
        assert response.status_code == 401
        assert msgspec.json.decode(response.body)["code"] == "unauthorized"


async def test_another_socket_does_not_exist(served: Served) -> None:
    url = f"ws://127.0.0.1:{served.port}/api/worker/v1/other"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, proxy=None):
            pass
    assert refused.value.response.status_code == 404


async def test_a_socket_under_another_name_is_refused(served: Served) -> None:
    url = f"ws://evil.example:{served.port}{LINK}"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, proxy=None, host="127.0.0.1", port=served.port):
            pass
    assert refused.value.response.status_code == 421


@pytest.mark.parametrize(
    "hello, said",
    [
        (b"", "no hello"),
        (b"\xc1", "no hello"),
        (encoder.encode(Frame(1, [])), "no hello"),
        (encoder.encode(msgspec.structs.replace(HELLO, protocol=PROTOCOL + 1)), "speaks protocol"),
    ],
)
async def test_a_stranger_is_told_why_and_not_to_come_back(
    served: Served, hello: bytes, said: str
) -> None:
    async with linked(served, hello=hello) as socket:
        (goodbye,) = await orders(socket)
        assert isinstance(goodbye, Goodbye)
        assert said in goodbye.reason
        assert not goodbye.retry
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert served.engine.sessions.empty()


@pytest.mark.parametrize(
    "error, retry", [(StoreUnavailable("no database"), True), (Conflict("known already"), False)]
)
async def test_a_refused_session_is_told_whether_to_come_back(
    served: Served, error: MainspringError, retry: bool
) -> None:
    served.engine.refuse_session = error
    async with linked(served) as socket:
        assert await orders(socket) == [Goodbye(error.message, retry)]


async def test_a_session_that_is_over_ends_the_connection(served: Served) -> None:
    async with linked(served) as socket:
        await orders(socket)
        session = await session_of(served)
        session.refuse = FencedOut("the session was reaped")
        await socket.send(encoder.encode(Frame(1, [])))
        assert await orders(socket) == [Goodbye("the session was reaped", retry=True)]
    async with asyncio.timeout(5):
        await session.closed.wait()


@pytest.mark.parametrize("data", [b"\xc1", "text", encoder.encode([1, 2, 3])])
async def test_an_unreadable_frame_ends_the_connection(served: Served, data: Any) -> None:
    async with linked(served) as socket:
        await orders(socket)
        await socket.send(data)
        (goodbye,) = await orders(socket)
        assert not goodbye.retry


async def test_the_engine_can_end_a_session(served: Served) -> None:
    async with linked(served) as socket:
        await orders(socket)
        session = await session_of(served)
        session.deliver([Goodbye("reaped", retry=True)])
        assert await orders(socket) == [Goodbye("reaped", retry=True)]
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_a_stop_lets_workers_go_at_once(served: Served) -> None:
    async with linked(served) as socket:
        await orders(socket)
        session = await session_of(served)
        stopping = asyncio.create_task(served.listener.stop())
        assert await orders(socket) == [Goodbye("this server stops", retry=True)]
        async with asyncio.timeout(5):
            await session.closed.wait()
            await stopping


async def test_a_beat_says_whether_the_session_lives(served: Served) -> None:
    served.engine.alive.add("session_1")
    for session_id, known in (("session_1", True), ("session_2", False)):
        response = await served.client.post(BEAT, json={"session_id": session_id})
        assert (response.status_code, response.json()) == (200, {"known": known})


async def test_a_death_is_told_on(served: Served) -> None:
    response = await served.client.post(LOST, json={"session_id": "session_1"})
    assert response.json() == {"known": True}
    assert served.engine.dead == ["session_1"]


async def test_posts_of_workers_need_a_key_and_a_session(served: Served) -> None:
    for body in (b"", b"{}", b'{"session_id": 1}', b"\xff"):
        for path in (BEAT, LOST):
            assert (await served.client.post(path, content=body)).status_code == 400
    served.client.headers.pop("authorization")
    response = await served.client.post(BEAT, json={"session_id": "session_1"})
    assert response.status_code == 401
    assert served.engine.dead == []


order = st.builds(Ack, st.integers(0, 9)) | st.builds(
    lambda size: Execute("r", 1, 1, "t", "x" * size, "q"), st.integers(0, MESSAGE)
)


@given(st.lists(order, max_size=6))
def test_messages_hold_every_order_once_and_in_order(queued: list[ToWorker]) -> None:
    parts = [decode_orders(data) for data in messages(queued)]
    assert [order for part in parts for order in part] == queued
    assert all(part for part in parts)


async def test_an_outbox_that_overflows_forgets_and_stays_so() -> None:
    outbox = Outbox(limit=2000)
    body = msgspec.Raw(b"x" * 900)
    outbox.put([Answer(1, True, body)])
    assert len(await outbox.take()) == 1
    outbox.put([Answer(1, True, body), Answer(2, True, body)])
    outbox.put([Ack(1)])
    assert outbox.overflow.is_set()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outbox.take(), 0)
