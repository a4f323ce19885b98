"""The outermost layer, spoken to in bytes: hosts, sizes, methods, browsers, ids, the log."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator

import pytest
from starlette.responses import Response, StreamingResponse

from mainspring.server import protocol
from mainspring.server.app import build
from mainspring.server.exchange import BODY, Exchange
from mainspring.server.routes import Route
from mainspring.server.serve import Listener
from mainspring.settings import ServerSettings
from mainspring.wire import calls
from tests.server.conftest import KEY, PEPPER, Served, TableEngine

AUTH = f"authorization: Bearer {KEY}\r\n".encode()


def request(
    *headers: str,
    line: str = "GET /api/v3/runs/run_1 HTTP/1.1",
    host: str = "localhost",
    then: str = "close",
) -> bytes:
    lines = [line, f"host: {host}", f"connection: {then}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n" + AUTH + b"\r\n"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    "data, status",
    [
        (request(), 200),
        (request(host="127.0.0.1:7420"), 200),
        (request(host="[::1]:1"), 200),
        (request(host="LOCALHOST"), 200),
        (request("host: localhost"), 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (request(host="evil.example"), 421),
        (request(host="localhost.evil.example"), 421),
        (request(host="localhost@evil"), 421),
        (request(host=""), 421),
        (request(host="localhost, localhost"), 421),
        (request(line="GET /healthz HTTP/1.0"), 505),
        (b"GET /healthz\r\n\r\n", 505),
        (b"GET / HTTP/1.1\nhost: localhost\n\n", 400),
        (request(" folded: x"), 400),
        (request("transfer-encoding: chunked", "content-length: 3",
                 line="POST /api/v1/tasks/t/trigger HTTP/1.1"), 400),
        (request("content-length: 1", "content-length: 2"), 400),
        (request("content-length: 3, 3"), 400),
        (request("content-length: +1"), 400),
        (request("transfer-encoding: identity", "transfer-encoding: chunked") + b"0\r\n\r\n", 400),
        (request("transfer-encoding: chunked, identity") + b"0\r\n\r\n", 400),
        (request("transfer-encoding : chunked") + b"0\r\n\r\n", 400),
        (request("transfer-encoding: chunked") + b"zz\r\n", 400),
        (request("transfer-encoding: chunked") + b"-1\r\n", 400),
        (request("transfer-encoding: chunked") + b"fffffffffffffffff\r\n", 400),
        (request("content-length: 4", "transfer-encoding: chunked", then="keep-alive")
         + b"0\r\n\r\n" + request(), 400),
        (request("x: a\0b"), 400),
        (request("x: a\rb"), 400),
        (request("content-encoding: gzip"), 415),
        (request("content-encoding: identity"), 200),
        (request(*(f"x-{n}: 1" for n in range(97))), 200),
        (request(*(f"x-{n}: 1" for n in range(99))), 431),
        (request("x: " + "a" * 32_000), 200),
        (request("x: " + "a" * 32_800), 431),
        (request("x: " + "a" * 70_000), 431),
        (request(line=f"GET /api/v1/runs?filter[tag]={'a,' * 99} HTTP/1.1"), 200),
        (request(line=f"GET /api/v1/runs?x={'a' * 8200} HTTP/1.1"), 414),
        (request(line="GET /api/v3/runs/%ff HTTP/1.1"), 404),
        (request(line="GET /api/v3/runs/%00 HTTP/1.1"), 404),
        (request(line="GET /api/v3/runs/ HTTP/1.1"), 404),
        (request(line="GET /api//v3/runs/x HTTP/1.1"), 404),
        (request(line="GET * HTTP/1.1"), 404),
        (request(line="GET http://localhost/healthz HTTP/1.1"), 200),
        (request(line="GET /api/v1/runs?%zz=%ff HTTP/1.1"), 400),
    ],
    ids=range(44),
)  # fmt: skip
async def test_only_a_well_formed_request_is_read(served: Served, data: bytes, status: int) -> None:
    answer = await served.raw(data)
    assert status_of(answer) == status, answer[:300]
    assert len(re.findall(rb"HTTP/1\.1 \d{3}", answer)) == 1


async def test_headers_without_end_are_cut_off_while_they_arrive(served: Served) -> None:
    begun = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
    assert status_of(await served.raw(begun + b"x: " + b"a" * 200_000)) == 431
    assert status_of(await served.raw(begun + b"x: a\r\n" * 50_000)) == 431
    assert status_of(await served.raw(b"GET /" + b"a" * 200_000)) == 431


async def test_a_connection_that_sends_no_headers_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEADER_S", 0.05)
    for begun in (b"", b"GET / HTTP/1.1\r\nhost: x", request(then="keep-alive") + b"GET / HT"):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(begun)
        async with asyncio.timeout(5):
            await reader.read()
            while not reader.at_eof():
                await reader.read()
        writer.close()


async def test_who_takes_nothing_of_an_answer_is_cut_off(
    engine: TableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "STALLED_S", 0.05)
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                await asyncio.sleep(0)  # as for whatever an answer is made of
                yield bytes(1 << 20)
        finally:
            ended.set()

    async def handler(_: Exchange) -> Response:
        return StreamingResponse(endless())

    settings = ServerSettings(port=0, drain_s=1)
    route = Route("GET", "/endless", handler, open=True)
    listener = Listener(build(engine, settings, pepper=PEPPER, routes=[route]), settings)
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, limit=1024)
    writer.write(b"GET /endless HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await ended.wait()
    writer.close()
    await listener.stop()


async def test_large_bodies_are_refused_by_their_word_or_when_they_grow(served: Served) -> None:
    line = "POST /api/v1/runs/run_1/tags HTTP/1.1"
    said = request(f"content-length: {BODY * 1000}", line=line)
    assert status_of(await served.raw(said + b"x" * 100)) == 413
    chunk = b"%x\r\n%s\r\n" % (BODY // 2 + 1, b" " * (BODY // 2 + 1))
    grown = request("transfer-encoding: chunked", line=line) + chunk
    assert status_of(await served.raw(grown + chunk)) == 413
    fits = b'{"tags":"a"}'.ljust(BODY)
    data = request(f"content-length: {BODY}", line=line) + fits
    assert status_of(await served.raw(data)) == 200
    data = request(f"content-length: {BODY + 1}", line=line) + fits + b" "
    assert status_of(await served.raw(data)) == 413
    assert [type(asked) for asked in served.engine.asked] == [calls.AddTags]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nope", b'{"payload": NaN}', b'{"payload": 1e999}', b'"\xff"', b'"\\ud800"',
     b'{"payload":' + b"[" * 128 + b"]" * 128 + b"}", b"[" * 100_000],
)  # fmt: skip
async def test_a_body_that_is_not_json_is_a_400(served: Served, body: bytes) -> None:
    response = await served.client.post("/api/v1/tasks/t/trigger", content=body)
    assert response.status_code == 400
    assert "body" in response.json()["error"]


async def test_a_payload_may_be_as_deep_as_allowed(served: Served) -> None:
    body = b'{"payload":' + b"[" * 127 + b"]" * 127 + b"}"
    response = await served.client.post("/api/v1/tasks/t/trigger", content=body)
    assert response.status_code == 200


async def test_a_wrong_method_names_the_right_ones(served: Served) -> None:
    response = await served.client.get("/api/v1/tasks/t/trigger")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    response = await served.client.post("/api/v1/runs")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert response.json()["code"] == "method_not_allowed"


async def test_anything_else_is_a_404_in_json(served: Served) -> None:
    for path in ("/api", "/api/v9/runs", "/favicon.ico", "/../etc/passwd"):
        response = await served.client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert response.headers["x-should-retry"] == "false"


async def test_what_is_not_built_says_so_and_is_not_tried_again(served: Served) -> None:
    for method, path in (
        ("POST", "/api/v1/query"),
        ("GET", "/api/v1/prompts"),
        ("PUT", "/realtime/v1/sessions/chat/in"),
        ("GET", "/api/v1/webhooks/endpoints"),
    ):
        response = await served.client.request(method, path)
        assert (response.status_code, response.json()["code"]) == (501, "not_built")
        assert response.headers["x-should-retry"] == "false"


async def test_a_head_is_a_get_without_body(served: Served) -> None:
    response = await served.client.head("/api/v3/runs/run_1")
    assert (response.status_code, response.content) == (200, b"")


async def test_any_page_may_call_the_public_api_and_read_the_answer(served: Served) -> None:
    asked = {
        "origin": "https://page.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-trigger-version",
    }
    response = await served.client.options("/api/v1/tasks/t/trigger", headers=asked)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-headers"] == "authorization,x-trigger-version"
    assert "PATCH" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-max-age"] == "300"
    for status in (200, 401):
        response = await served.client.get("/api/v3/runs/run_1", headers={"origin": "https://x"})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "*"
        assert "x-should-retry" in response.headers["access-control-expose-headers"]
        served.client.headers["authorization"] = "Bearer none"


async def test_pages_may_not_call_what_our_own_programs_speak(served: Served) -> None:
    asked = {"origin": "https://x", "access-control-request-method": "POST"}
    for path in ("/api/mainspring/v1/call", "/api/worker/v1/beat", "/healthz"):
        response = await served.client.options(path, headers=asked)
        assert "access-control-allow-origin" not in response.headers


async def test_without_an_origin_nothing_is_said_of_browsers(served: Served) -> None:
    response = await served.client.get("/api/v3/runs/run_1")
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "server" not in response.headers


async def test_each_request_has_a_name_and_a_line_in_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mainspring.access")
    path = "/api/v3/runs/run_1?secret=1"
    first = (await served.client.get(path)).headers["x-request-id"]
    second = (await served.client.get(path)).headers["x-request-id"]
    given = await served.client.get(path, headers={"x-request-id": "mine-1"})
    bad = await served.client.get(path, headers={"x-request-id": "not a word!"})
    assert first != second
    assert given.headers["x-request-id"] == "mine-1"
    assert bad.headers["x-request-id"] != "not a word!"
    lines = [record for record in caplog.records if record.name == "mainspring.access"]
    assert [line.request_id for line in lines][:3] == [first, second, "mine-1"]
    assert {(line.method, line.path, line.status) for line in lines} == {
        ("GET", "/api/v3/runs/run_1", 200)
    }
    assert "secret" not in caplog.text
    assert KEY not in caplog.text


class TestWithoutALog:
    @pytest.fixture
    def server_settings(self) -> ServerSettings:
        return ServerSettings(port=0, drain_s=1, access_log=False)

    async def test_no_line_is_written(
        self, served: Served, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "mainspring.access")
        await served.client.get("/api/v3/runs/run_1")
        assert not [record for record in caplog.records if record.name == "mainspring.access"]


async def test_a_bug_is_answered_logged_and_told_to_nobody(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.engine.answers[calls.Retrieve] = ZeroDivisionError("secret")
    response = await served.client.get("/api/v3/runs/run_1")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.json()["code"] == "internal"
    (record,) = [record for record in caplog.records if record.exc_info]
    assert response.headers["x-request-id"] in record.getMessage()


class TestOnOtherAddresses:
    @pytest.fixture
    def server_settings(self) -> ServerSettings:
        return ServerSettings(port=0, drain_s=1, allowed_hosts=("jobs.example",))

    async def test_the_names_that_are_allowed_are_served_beside_localhost(
        self, served: Served
    ) -> None:
        for host in ("jobs.example", "JOBS.example:443", "localhost", "jobs.example."):
            assert status_of(await served.raw(request(host=host))) == 200
        assert status_of(await served.raw(request(host="other.example"))) == 421


@pytest.mark.parametrize(
    "asked", ["x-a\xff", "authorization, \xe9", "a" * 3000, "x-a;b: c", "\x7f"]
)
async def test_a_browser_s_question_is_answered_whatever_letters_it_has(
    served: Served, asked: str
) -> None:
    answer = await served.raw(
        request(
            "origin: https://site.example", f"access-control-request-headers: {asked}",
            line="OPTIONS /api/v1/runs HTTP/1.1",
        )
    )  # fmt: skip
    assert status_of(answer) in (204, 400)


async def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    data = request(then="keep-alive") + request(line="GET /api/v3/runs/run_2 HTTP/1.1")
    answer = await served.raw(data)
    bodies = [json.loads(part.split(b"\r\n\r\n", 1)[1]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert [body["id"] for body in bodies] == ["run_1", "run_2"]
