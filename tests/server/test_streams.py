"""Streams over HTTP on the real engine and both databases: events, resumption, ends, writing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest

from mainspring.server.realtime import streams_pump, streams_reader
from mainspring.server.realtime.streams import Announced, Appended
from mainspring.server.realtime.streams_sse import Records
from mainspring.wire.worker import Append, Execute, Finished
from tests.server.test_whole import Whole, Worker, make_store, whole

__all__ = ["make_store", "whole"]  # fixtures

decode = msgspec.json.Decoder(Records, strict=True).decode


class Reading:
    """A reader of events: `records` are those that it has got."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.records: list[Any] = []
        self.pings = 0
        self._lines = response.aiter_lines()

    @property
    def numbers(self) -> list[int]:
        return [record.seq_num for record in self.records]

    @property
    def data(self) -> list[Any]:
        return [json.loads(record.body)["data"] for record in self.records]

    async def until(self, count: int) -> list[Any]:
        """What it has once that many records have come."""
        async with asyncio.timeout(10):
            while len(self.records) < count:
                assert await self.step(), "it has ended"
        return self.data

    async def end(self) -> list[Any]:
        """What it has when the server has ended the answer."""
        async with asyncio.timeout(10):
            while await self.step():
                continue
        return self.data

    async def step(self) -> bool:
        line = await anext(self._lines, None)
        if line is not None and line.startswith("data: "):
            self.records += decode(line.removeprefix("data: ").encode()).records
        self.pings += line == ": ping"
        return line is not None


@contextlib.asynccontextmanager
async def reading(whole: Whole, path: str, **headers: str) -> AsyncIterator[Reading]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    address = f"/realtime/v1/streams/{path}"
    async with whole.client.stream("GET", address, headers=sent, timeout=20) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["x-stream-version"] == "v2"
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Reading(response)


class Writing:
    """A run that executes and writes."""

    def __init__(self, worker: Worker, order: Execute) -> None:
        self.worker = worker
        self.order = order
        self.id = order.run_id
        self._sent: dict[str, int] = {}

    async def write(self, *chunks: Any, stream: str = "out") -> None:
        first = self._sent.get(stream, 0)
        self._sent[stream] = first + len(chunks)
        texts = [json.dumps(chunk) for chunk in chunks]
        epoch = self.order.epoch
        await self.worker.send(Append(self.id, epoch, stream, epoch, first, texts))

    async def finish(self) -> None:
        await self.worker.send(Finished(self.id, self.order.epoch, "completed", "null"))

    async def durable(self) -> None:
        await self.worker.durable()


async def begun(whole: Whole, **options: Any) -> Writing:
    worker = await whole.worker()
    await whole.trigger(**options)
    return Writing(worker, await worker.next(Execute))


async def test_a_reader_gets_what_is_there_and_what_comes_until_the_run_ends(whole: Whole) -> None:
    run = await begun(whole)
    await run.write("a", {"b": 1})
    await run.durable()
    async with reading(whole, f"{run.id}/out") as reader:
        assert await reader.until(2) == ["a", {"b": 1}]
        await run.write(3)
        assert await reader.until(3) == ["a", {"b": 1}, 3]
        await run.write(None)
        await run.finish()
        assert await reader.end() == ["a", {"b": 1}, 3, None]
        assert reader.numbers == [0, 1, 2, 3]
        assert [json.loads(record.body)["id"] for record in reader.records] == list("0123")
        now = whole.house.clock.now()
        assert {(record.timestamp, len(record.headers)) for record in reader.records} == {(now, 0)}
    assert (await whole.run(run.id))["status"] == "COMPLETED"


async def test_a_stream_that_never_begins_ends_with_its_run(whole: Whole) -> None:
    run = await begun(whole)
    async with reading(whole, f"{run.id}/none") as reader:
        await reader.step()
        await run.finish()
        assert await reader.end() == []
    async with reading(whole, f"{run.id}/none") as reader:
        assert await reader.end() == []


async def test_a_reader_goes_on_after_the_last_number_that_it_has(whole: Whole) -> None:
    run = await begun(whole)
    await run.write(*range(5))
    await run.finish()
    await run.durable()
    for last in range(-1, 7):
        async with reading(whole, f"{run.id}/out", last_event_id=str(last)) as reader:
            assert await reader.end() == list(range(last + 1, 5))
            assert reader.numbers == list(range(last + 1, 5))


async def test_a_reader_may_begin_with_what_comes_next(whole: Whole) -> None:
    run = await begun(whole)
    await run.write(0, 1)
    await run.durable()
    async with reading(whole, f"{run.id}/out", x_trigger_stream_start="latest") as reader:
        await reader.step()
        await run.write(2)
        await run.finish()
        assert await reader.end() == [2]


async def test_readers_at_different_places_see_the_same_chunks(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_pump, "KEPT", 100)
    monkeypatch.setattr(streams_pump, "CHUNKS", 3)
    run = await begun(whole)
    await run.write(*range(10))
    await run.durable()
    async with contextlib.AsyncExitStack() as stack:
        readers: list[tuple[int, Reading]] = []
        for last in (-1, 3, 4, 8, 12):
            opened = reading(whole, f"{run.id}/out", last_event_id=str(last))
            readers.append((last, await stack.enter_async_context(opened)))
        for _, reader in readers[:2]:
            await reader.until(4)
        for n in range(10, 20):
            await run.write(n)
        await run.durable()
        late = await stack.enter_async_context(reading(whole, f"{run.id}/out"))
        readers.append((-1, late))
        await run.finish()
        for last, reader in readers:
            assert await reader.end() == list(range(last + 1, 20))
    await _forgotten(whole)


async def test_an_idle_reader_is_pinged_and_sent_away_when_it_wants_so(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_reader, "PING_S", 0.01)
    run = await begun(whole)
    await run.write(0)
    await run.durable()
    async with reading(whole, f"{run.id}/out", timeout_seconds="1") as reader:
        assert await reader.end() == [0]
        assert reader.pings > 2


async def test_a_reader_that_leaves_is_forgotten(whole: Whole) -> None:
    run = await begun(whole)
    for _ in range(3):
        async with reading(whole, f"{run.id}/out") as reader:
            await reader.step()
    await _forgotten(whole)


async def _forgotten(whole: Whole) -> None:
    """Until no reader is left anywhere."""
    async with asyncio.timeout(10):
        while any(pumps._pumps for pumps in streams_pump._known.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        left = {task for task in asyncio.all_tasks() if task.get_name().startswith("stream ")}
        await asyncio.gather(*left, return_exceptions=True)
    assert whole.house.engine.ready


async def test_a_server_that_stops_cuts_its_readers_off_so_that_they_come_again(
    whole: Whole,
) -> None:
    run = await begun(whole)
    await run.write(0)
    await run.durable()
    async with reading(whole, f"{run.id}/out") as reader:
        await reader.until(1)
        [stopping] = [event for event, its in streams_pump._known.items() if its._pumps]
        stopping.set()
        with pytest.raises(httpx2.RemoteProtocolError):
            await reader.end()


async def test_the_attempt_is_told_when_code_has_begun_anew(whole: Whole) -> None:
    run = await begun(whole)
    await run.worker.send(Append(run.id, 1, "out", 1, 0, ["1"]))
    await run.durable()
    run.worker.number += 1
    whole.house.engine.lost(whole.house.env, "session_1")
    worker = await whole.worker()
    again = Writing(worker, await worker.next(Execute))
    await again.write("1 again")
    await again.finish()
    async with reading(whole, f"{run.id}/out") as reader:
        assert await reader.end() == [1, "1 again"]
        assert [record.headers for record in reader.records] == [[], [("epoch", "2")]]


async def test_inputs_are_read_as_streams_are(whole: Whole) -> None:
    run = await begun(whole)
    path = f"/realtime/v1/streams/{run.id}/input/chat"
    assert await whole.post(path, {"data": {"a": 1}}) == {"ok": True}
    async with reading(whole, f"{run.id}/input/chat") as reader:
        await reader.until(1)
        await whole.post(path, {"data": "x" * 100_000})
        await reader.until(2)
        await run.finish()
        assert await reader.end() == [{"a": 1}, "x" * 100_000]
        assert reader.numbers == [0, 1]
    await whole.post(path, {"data": 1}, 400)
    response = await whole.client.put(path)
    assert response.status_code == 400


async def test_others_write_lines_which_a_repeat_does_not_double(whole: Whole) -> None:
    run = await begun(whole)
    path = f"/realtime/v1/streams/{run.id}/self/lines"
    announced = await whole.client.put(path)
    assert announced.status_code == 202
    assert msgspec.json.decode(announced.content, type=Announced).version == "v1"
    assert (await whole.house.run(run.id)).streams == ("lines",)
    client = {"x-client-id": "0123abcd"}
    head = await whole.client.head(path, headers=client)
    assert head.headers["x-last-chunk-index"] == "-1"

    async def body(*lines: Any) -> AsyncIterator[bytes]:
        for line in lines:
            yield json.dumps(line).encode() + b"\n"

    async def post(first: int, *lines: Any) -> None:
        headers = {**client, "x-resume-from-chunk": str(first)}
        response = await whole.client.post(path, content=body(*lines), headers=headers)
        assert response.status_code == 200, response.text
        assert msgspec.json.decode(response.content, type=Appended, strict=True).ok

    await post(0, "a", {"b": [1]})
    await post(0, "a", {"b": [1]}, "c")
    await post(2, "c", *range(1_200))
    head = await whole.client.head(path, headers=client)
    assert head.headers["x-last-chunk-index"] == "1202"
    await run.finish()
    async with reading(whole, f"{run.id}/lines") as reader:
        assert await reader.end() == ["a", {"b": [1]}, "c", *range(1_200)]


async def test_a_text_is_appended_once_by_its_part_id(whole: Whole) -> None:
    run = await begun(whole)
    path = f"/realtime/v1/streams/{run.id}/self/out/append"
    for part, text in (("1", "hé"), ("1", "hé"), ("2", "{}"), ("2", "{}")):
        response = await whole.client.post(path, content=text.encode(), headers={"x-part-id": part})
        assert (response.status_code, response.json()) == (200, {"ok": True})
    for _ in range(2):
        await whole.client.post(path, content=b"same")
    await run.finish()
    async with reading(whole, f"{run.id}/out") as reader:
        assert await reader.end() == ["hé", "{}", "same", "same"]
    for method in ("PUT", "POST"):
        refused = await whole.client.request(method, path.removesuffix("/append"), content=b"1")
        assert refused.status_code == 400, method
    assert (await whole.client.post(path, content=b"late")).status_code == 400


async def test_a_stream_of_a_parent_is_written_and_read_through_its_child(whole: Whole) -> None:
    run = await begun(whole)
    child = await whole.trigger(parentRunId=run.id)
    answer = await whole.client.post(
        f"/realtime/v1/streams/{child}/parent/out/append", content=b"from below"
    )
    assert answer.status_code == 200
    for id_, target in ((child, "root"), (child, "parent"), (run.id, "self")):
        async with reading(whole, f"{id_}/{target}/out") as reader:
            assert await reader.until(1) == ["from below"]


@pytest.mark.parametrize(
    "method, path, headers, status",
    [
        ("GET", "run_x/out", {}, 404),
        ("GET", "{run}/out", {"last-event-id": "x"}, 400),
        ("GET", "{run}/out", {"last-event-id": "9" * 30}, 400),
        ("GET", "{run}/out", {"timeout-seconds": "0"}, 400),
        ("GET", "{run}/out", {"timeout-seconds": "601"}, 400),
        ("GET", "{run}/" + "x" * 129, {}, 422),
        ("GET", "{run}/child/out", {}, 404),
        ("PUT", "{run}/child/out", {}, 404),
        ("PUT", "run_x/self/out", {}, 404),
        ("POST", "{run}/self/out", {"x-resume-from-chunk": "-1"}, 400),
        ("POST", "run_x/self/out/append", {}, 404),
    ],
)
async def test_what_makes_no_sense_is_refused_for_good(
    whole: Whole, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    run_id = (await begun(whole)).id
    address = f"/realtime/v1/streams/{path.format(run=run_id)}"
    response = await whole.client.request(method, address, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("body", [b"{", b'"\xff"', b'"\\u0000"'])
async def test_lines_that_are_no_json_are_refused(whole: Whole, body: bytes) -> None:
    run = await begun(whole)
    path = f"/realtime/v1/streams/{run.id}/self/out"
    response = await whole.client.post(path, content=b'"first"\n' + body)
    assert response.status_code in (400, 422), response.text


async def test_another_environment_sees_no_stream(whole: Whole) -> None:
    run = await begun(whole)
    for method, path in (
        ("GET", f"{run.id}/out"),
        ("GET", f"{run.id}/input/out"),
        ("PUT", f"{run.id}/self/out"),
        ("POST", f"{run.id}/self/out/append"),
    ):
        response = await whole.foreign.request(method, f"/realtime/v1/streams/{path}")
        assert response.status_code == 404, (method, path)


async def test_a_public_token_reads_the_streams_of_its_run_and_sends_inputs(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id, other = await whole.trigger(), await whole.trigger()
    scopes = [f"read:runs:{run_id}", f"write:inputStreams:{run_id}"]
    token = (await whole.post("/api/v1/auth/public-tokens", {"scopes": scopes}))["token"]
    base = f"http://127.0.0.1:{whole.port}/realtime/v1/streams"
    headers = {"authorization": f"Bearer {token}", "timeout-seconds": "1"}
    async with httpx2.AsyncClient(headers=headers) as client:
        for path, status in (
            (f"{run_id}/out", 200),
            (f"{run_id}/input/chat", 200),
            (f"{other}/out", 403),
            (f"{other}/input/chat", 403),
        ):
            async with client.stream("GET", f"{base}/{path}") as response:
                assert response.status_code == status, path
        for id_, status in ((run_id, 200), (other, 403)):
            sent = await client.post(f"{base}/{id_}/input/chat", json={"data": 1})
            assert sent.status_code == status
        for method, path in (
            ("PUT", f"{run_id}/self/out"),
            ("POST", f"{run_id}/self/out"),
            ("POST", f"{run_id}/self/out/append"),
        ):
            refused = await client.request(method, f"{base}/{path}", content=b"1")
            assert refused.status_code == 403, path
