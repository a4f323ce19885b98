"""What only the transport without an event loop does; the rest is in tests/sdk/test_http.py."""

import socket
import threading
from collections.abc import Callable

import msgspec
import pytest

from mainspring.cli.blocking import drive, transport_to
from mainspring.cli.looped import LoopedTransport
from mainspring.cli.plain import PlainTransport
from mainspring.errors import MainspringError, ServerUnreachable
from mainspring.model.run import TriggerAnswer, TriggerRequest
from mainspring.sdk.exchange import ROUTE
from mainspring.wire import calls

KEY = "tr_dev_sk_" + "k" * 24
REQUEST = calls.Trigger([TriggerRequest("hello")])
BODY = msgspec.msgpack.encode(calls.Triggered([TriggerAnswer("run_1")]))
OK = b"HTTP/1.1 200 OK\r\n"
SIZED = OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY

Speak = Callable[[socket.socket], None]


async def no_pause(_seconds: float) -> None:
    raise AssertionError("nothing has to be waited for")


def serving(*speak: Speak) -> tuple[str, threading.Thread]:
    """The address of a server that does one of these for each connection, then no more."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            for one in speak:
                connection, _ = listener.accept()
                with connection:
                    one(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/prefix", thread


def heard(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    return data


def answering(*parts: bytes) -> Speak:
    def speak(connection: socket.socket) -> None:
        assert heard(connection).startswith(f"POST /prefix{ROUTE} HTTP/1.1\r\n".encode())
        for part in parts:
            connection.sendall(part)

    return speak


def asked(url: str, times: int = 1) -> None:
    transport = PlainTransport(url, KEY, sleep=no_pause, attempts=1)
    for _ in range(times):
        assert drive(transport.call(REQUEST)) == calls.Triggered([TriggerAnswer("run_1")])
    drive(transport.close())


@pytest.mark.parametrize(
    "answer",
    [
        SIZED,
        b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED,
        OK + b"\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        OK + b"Transfer-Encoding: chunked\r\n\r\n4;a=b\r\n" + BODY[:4] + b"\r\n"
        b"%x\r\n" % len(BODY[4:]) + BODY[4:] + b"\r\n0\r\nX-Trailer: 1\r\n\r\n",
        SIZED.replace(b"Content-Length", b"content-length").replace(b": ", b":"),
    ],
    ids=["sized", "after 100", "until the end", "old", "chunked", "lower case"],
)  # fmt: skip
def test_an_answer_is_read_in_each_form_that_http_has(answer: bytes) -> None:
    url, thread = serving(answering(answer))
    asked(url)
    thread.join()


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced_at_once() -> None:
    url, thread = serving(*[answering(SIZED)] * 3)
    asked(url, times=3)
    thread.join()


def test_one_connection_serves_one_request_after_another() -> None:
    def speak(connection: socket.socket) -> None:
        for _ in range(3):
            answering(SIZED)(connection)

    url, thread = serving(speak)
    asked(url, times=3)
    thread.join()


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0\r\n", SIZED[:-4], OK + b"Content-Length: x\r\n\r\n", OK + b"x" * 99]
)
def test_what_is_no_answer_is_told_as_a_server_that_cannot_be_reached(answer: bytes) -> None:
    url, thread = serving(answering(answer))
    with pytest.raises(ServerUnreachable, match="No server answers"):
        asked(url)
    thread.join()


def test_a_server_that_is_silent_is_not_waited_for_longer_than_said() -> None:
    silent = threading.Event()
    url, thread = serving(lambda _: silent.wait(10) and None)
    transport = PlainTransport(url, KEY, attempts=1, timeout=0.05)
    with pytest.raises(ServerUnreachable, match="timed out"):
        drive(transport.call(REQUEST))
    silent.set()
    thread.join()


def test_tls_and_proxies_take_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert isinstance(transport_to("http://jobs.example", KEY), PlainTransport)
    assert isinstance(transport_to("https://jobs.example", KEY), LoopedTransport)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    proxied = transport_to("http://jobs.example", KEY, attempts=1)
    assert isinstance(proxied, LoopedTransport)
    with pytest.raises(MainspringError, match="No server answers"):
        drive(proxied.call(REQUEST))
    drive(proxied.close())
