"""The transports over HTTP against a real server on loopback that misbehaves on request."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mainspring import InvalidPayload, NotFound, RateLimited, ServerUnreachable, Unauthorized, task
from mainspring.cli.blocking import drive
from mainspring.cli.direct import DirectTransport
from mainspring.cli.looped import LoopedTransport
from mainspring.cli.plain import PlainTransport
from mainspring.errors import ConfigurationError, MainspringError, OperatorError
from mainspring.model.run import TriggerAnswer, TriggerRequest
from mainspring.sdk import transport
from mainspring.sdk.exchange import ROUTE, Exchange
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from tests.sdk.conftest import finished

KEY = "tr_dev_sk_" + "k" * 24
Answer = Callable[[Any], Response]


def packed(value: Any) -> Response:
    return Response(msgspec.msgpack.encode(value), media_type="application/msgpack")


def problem(status: int, code: str = "", **headers: str) -> Answer:
    body = {"error": f"said {status}", **({"code": code, "details": [1]} if code else {})}
    return lambda _: JSONResponse(body, status, headers=headers)


class Server:
    """Answers each call with the next of `plan`, then with what the request asks for."""

    def __init__(self) -> None:
        self.plan: list[Answer] = []
        self.seen: list[tuple[Any, dict[str, str]]] = []
        self.url = ""

    async def answer(self, http: Request) -> Response:
        request: Any = msgspec.msgpack.decode(await http.body(), type=calls.Request)
        self.seen.append((request, dict(http.headers)))
        if self.plan:
            return self.plan.pop(0)(request)
        if isinstance(request, calls.Trigger):
            return packed(calls.Triggered([TriggerAnswer("run_1") for _ in request.requests]))
        return packed(finished(request.run_id, "null"))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    stub = Server()
    app = Starlette(routes=[Route(ROUTE, stub.answer, methods=["POST"])])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stub.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        with no_signals(running):
            serving = asyncio.create_task(running.serve([listener]))
            yield stub
            running.should_exit = True
            await serving


@contextlib.contextmanager
def no_signals(running: uvicorn.Server) -> Iterator[None]:
    running.capture_signals = contextlib.nullcontext  # type: ignore
    yield


class Pauses:
    """Stands in for sleeping; remembers for how long."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
async def pauses() -> Pauses:
    return Pauses()


class Plain(PlainTransport):
    """In a thread, because the server of these tests runs in their event loop."""

    async def send(self, *args: Any) -> Any:
        return await asyncio.to_thread(drive, super().send(*args))


class Looped(LoopedTransport):
    """The same."""

    async def send(self, *args: Any) -> Any:
        return await asyncio.to_thread(drive, super().send(*args))

    async def close(self) -> None:
        await asyncio.to_thread(drive, super().close())


@pytest.fixture(params=[HttpTransport, DirectTransport, Plain, Looped])
def kind(request: pytest.FixtureRequest) -> type[Exchange]:
    """That of programs, and those of commands."""
    found: type[Exchange] = request.param
    return found


@pytest.fixture
async def http(kind: type[Exchange], server: Server, pauses: Pauses) -> AsyncIterator[Exchange]:
    client = kind(server.url, KEY, sleep=pauses)
    yield client
    await client.close()


def trigger(*tasks: str) -> calls.Trigger:
    return calls.Trigger([TriggerRequest(name) for name in tasks])


async def test_a_request_and_its_answer_travel_as_they_are(server: Server, http: Exchange) -> None:
    @task
    async def mail(n: int) -> None: ...

    with transport.using(http):
        handle = await mail.with_options(tags=["x"]).trigger(3)
        assert (await handle.run()).id == "run_1"
    (sent, headers), (read, _) = server.seen
    assert (sent.requests[0].task, sent.requests[0].payload) == ("mail", '{"n":3}')
    assert sent.requests[0].options.tags == ("x",)
    assert read == calls.Retrieve("run_1")
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["content-type"] == "application/msgpack"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_passing_problem_is_tried_again_with_the_same_request_key(
    server: Server, http: Exchange, pauses: Pauses, status: int
) -> None:
    server.plan = [problem(status), problem(status)]
    await http.call(trigger("a", "b"))
    assert len(server.seen) == 3
    assert len({headers["x-trigger-request-idempotency-key"] for _, headers in server.seen}) == 1
    marks = [[r.options.request_key for r in sent.requests] for sent, _ in server.seen]
    assert marks[0] == marks[1] == marks[2]
    assert len(set(marks[0])) == 2
    assert 0.125 <= pauses.taken[0] <= 0.375
    assert 0.25 <= pauses.taken[1] <= 0.75


async def test_two_calls_have_different_request_keys(server: Server, http: Exchange) -> None:
    await http.call(trigger("a"))
    await http.call(trigger("a"))
    keys = [sent.requests[0].options.request_key for sent, _ in server.seen]
    assert len(set(keys)) == 2


async def test_after_five_attempts_the_problem_is_raised(
    server: Server, http: Exchange, pauses: Pauses
) -> None:
    server.plan = [problem(503, "store_unavailable")] * 6
    with pytest.raises(MainspringError, match="said 503") as caught:
        await http.call(trigger("a"))
    assert caught.value.code == "store_unavailable"
    assert len(server.seen) == 5
    assert len(pauses.taken) == 4


async def test_the_server_says_how_long_to_wait(
    server: Server, http: Exchange, pauses: Pauses
) -> None:
    server.plan = [problem(429, **{"retry-after": "7"}), problem(429, **{"retry-after": "9999"})]
    await http.call(trigger("a"))
    assert pauses.taken == [7.0, 30.0]


@pytest.mark.parametrize(
    "answer, expected",
    [
        (problem(422, "invalid_payload"), InvalidPayload),
        (problem(404, "not_found"), NotFound),
        (problem(400), MainspringError),
        (problem(401), Unauthorized),
        (problem(404), NotFound),
        (problem(409), MainspringError),
        (problem(429, "rate_limited", **{"x-should-retry": "false"}), RateLimited),
    ],
)
async def test_a_callers_error_is_raised_at_once(
    server: Server, http: Exchange, answer: Answer, expected: type[MainspringError]
) -> None:
    server.plan = [answer]
    with pytest.raises(expected, match="said") as caught:
        await http.call(trigger("a"))
    assert len(server.seen) == 1
    if caught.value.details is not None:
        assert caught.value.details == [1]


async def test_an_error_that_is_no_json_is_shown_with_its_status(
    server: Server, http: Exchange
) -> None:
    server.plan = [lambda _: PlainTextResponse("proxy down", 502)] * 5
    with pytest.raises(OperatorError, match="answered 502: proxy down"):
        await http.call(trigger("a"))


async def test_another_server_at_the_url_is_noticed(server: Server, http: Exchange) -> None:
    server.plan = [lambda _: PlainTextResponse("<html>")]
    with pytest.raises(ConfigurationError, match="not a Mainspring server"):
        await http.call(trigger("a"))


async def test_without_a_server_the_url_and_the_way_out_are_named(
    kind: type[Exchange], pauses: Pauses
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = kind(url, KEY, sleep=pauses)
    with pytest.raises(ServerUnreachable, match=f"{url}.*`mainspring dev`"):
        await client.call(trigger("a"))
    assert len(pauses.taken) == 4
    await client.close()


async def test_a_connection_that_breaks_is_made_again(kind: type[Exchange], pauses: Pauses) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        if connections > 1:
            body = packed(calls.Triggered([TriggerAnswer("run_1")])).body
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        client = kind(f"http://127.0.0.1:{port}", KEY, sleep=pauses)
        assert isinstance(await client.call(trigger("a")), calls.Triggered)
        await client.close()
    assert connections == 2
    assert len(pauses.taken) == 1


async def test_one_transport_serves_several_loops_and_leaves_no_connection_open(
    server: Server, http: Exchange
) -> None:
    # warnings are errors here, an unclosed socket of the other loops among them
    async def elsewhere() -> None:
        await http.call(trigger("a"))
        await http.call(trigger("b"))

    def run(finish: Callable[[], None]) -> None:
        for _ in range(2):
            asyncio.run(elsewhere())
        finish()

    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    thread = threading.Thread(target=run, args=(lambda: loop.call_soon_threadsafe(done.set),))
    thread.start()
    await http.call(trigger("c"))
    await done.wait()
    thread.join()
    assert len(server.seen) == 5


async def test_closing_twice_is_harmless(server: Server, http: Exchange) -> None:
    await http.call(trigger("a"))
    closing: Awaitable[None] = http.close()
    await closing
    await http.close()
    await http.call(trigger("a"))


@pytest.mark.parametrize("url", ["jobs.example", "ftp://jobs.example", "http://", "http://a:b"])
def test_what_is_no_address_is_refused_before_anything_is_sent(
    kind: type[Exchange], url: str
) -> None:
    with pytest.raises(ConfigurationError, match="write one such as"):
        kind(url, KEY)
