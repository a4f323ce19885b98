"""What only the transport of commands does; the rest is in tests/sdk/test_http.py."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from mainspring.cli.direct import DirectTransport, is_plain
from mainspring.model.run import TriggerAnswer, TriggerRequest
from mainspring.sdk.exchange import ROUTE
from mainspring.wire import calls

KEY = "tr_dev_sk_" + "k" * 24
REQUEST = calls.Trigger([TriggerRequest("hello")])
BODY = msgspec.msgpack.encode(calls.Triggered([TriggerAnswer("run_1")]))
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def at_a_server(serve: Serve, ask: Callable[[str], Awaitable[None]]) -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        await ask(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/prefix")


async def no_pause(_seconds: float) -> None:
    raise AssertionError("nothing has to be waited for")


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced_at_once() -> None:
    paths: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        paths.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async def ask(url: str) -> None:
        transport = DirectTransport(url, KEY, sleep=no_pause)
        for _ in range(3):
            assert isinstance(await transport.call(REQUEST), calls.Triggered)
        await transport.close()

    await at_a_server(serve, ask)
    assert paths == [f"/prefix{ROUTE}".encode()] * 3


def test_a_command_that_is_interrupted_waits_for_no_answer() -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    async def ask(url: str) -> None:
        transport = DirectTransport(url, KEY, timeout=3600)
        waiting = asyncio.create_task(transport.call(REQUEST))
        await asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await transport.close()

    asyncio.run(at_a_server(serve, ask))  # its end awaits all threads


def test_through_a_proxy_goes_what_knows_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert is_plain("http://jobs.example")
    monkeypatch.setenv("NO_PROXY", "localhost,.internal")
    assert is_plain("http://jobs.example")
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.internal:1080")
    assert not is_plain("http://jobs.example")
    assert is_plain("http://jobs.internal")
