"""Heads of answers wait for their bodies, and nothing is lost, late or out of order."""

from __future__ import annotations

import asyncio
from typing import Any

from mainspring.server.sending import Sending
from tests.server.conftest import Served

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Wire:
    """What a transport was told, one entry for each packet."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.sent.append(b"".join(parts))

    def close(self) -> None:
        self.sent.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.sent

    def pause_reading(self) -> None:
        self.sent.append("paused")


async def sending() -> tuple[Wire, Any]:
    wire = Wire()
    return wire, Sending(wire, asyncio.get_running_loop())  # type: ignore[arg-type]


async def test_a_head_and_its_body_are_one_packet() -> None:
    wire, out = await sending()
    for body in (b"ok", b"x" * 100_000):
        out.write(HEAD)
        out.write(body)
        out.write(b"more")
    assert wire.sent == [HEAD + b"ok", b"more", HEAD + b"x" * 100_000, b"more"]


async def test_a_head_without_a_body_leaves_soon() -> None:
    wire, out = await sending()
    out.write(HEAD)
    assert wire.sent == []
    await asyncio.sleep(0)
    assert wire.sent == [HEAD]
    out.write(b"ok")
    await asyncio.sleep(0)
    assert wire.sent == [HEAD, b"ok"]


async def test_a_body_that_looks_like_a_head_stays_in_order() -> None:
    wire, out = await sending()
    for part in (HEAD, HEAD, HEAD, b"ok"):
        out.write(part)
    assert b"".join(wire.sent) == HEAD * 3 + b"ok"


async def test_a_head_leaves_before_the_end() -> None:
    wire, out = await sending()
    out.write(HEAD)
    out.pause_reading()
    out.close()
    await asyncio.sleep(0)
    assert wire.sent == ["paused", HEAD, "closed"]


async def test_an_answer_of_a_server_comes_in_one_packet(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for _ in range(3):
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        data = await reader.read(65536)
        assert data.endswith(b'{"status":"ok"}')
    writer.close()
