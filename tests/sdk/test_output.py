"""Streams as code writes and reads them: values, targets, replays, and where reading goes on."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mainspring import (
    InvalidOptions,
    InvalidPayload,
    Misplaced,
    current,
    metadata,
    step,
    streams,
    task,
)
from mainspring.errors import PayloadTooLarge
from mainspring.sdk import transport
from mainspring.wire import calls
from tests.sdk.conftest import Recorder
from tests.sdk.durable import Run, idle


@dataclasses.dataclass
class Token:
    text: str
    n: int = 0


async def letters(text: str) -> AsyncIterator[str]:
    for letter in text:
        await asyncio.sleep(0)
        yield letter


async def written(body: Any, **fields: Any) -> list[tuple[str, str, str]]:
    run = Run(body, **fields)
    await run.task
    return run.port.written


async def test_chunks_are_any_values_with_a_json_form() -> None:
    out = streams.define("out", Token)

    async def body() -> None:
        await out.append(Token("a"))
        await streams.append("log", "text")
        await streams.append("log", None)
        async with streams.writer("log") as writer:
            await writer.write([1, 2])
        async with out.writer() as typed:
            await typed.write(Token("b", 1))

    assert await written(body) == [
        ("", "out", '{"text":"a","n":0}'),
        ("", "log", '"text"'),
        ("", "log", "null"),
        ("", "log", "[1,2]"),
        ("", "out", '{"text":"b","n":1}'),
    ]


async def test_pipe_writes_all_and_says_how_much() -> None:
    async def body() -> None:
        assert await streams.pipe("out", letters("ab")) == 2
        assert await streams.pipe("out", [1, 2, 3]) == 3
        assert await streams.define("out").pipe(iter(())) == 0

    assert [chunk for *_, chunk in await written(body)] == ['"a"', '"b"', "1", "2", "3"]


async def test_pipe_lets_the_chunks_through_once_they_are_written() -> None:
    seen: list[Any] = []

    async def body() -> None:
        port = run.port
        for piped in (streams.pipe("out", letters("abc")), metadata.stream("old", letters("d"))):
            seen.extend([(letter, len(port.written)) async for letter in piped])

    run = Run(body)
    await run.task
    assert seen == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
    assert [stream for _, stream, _ in run.port.written] == ["out"] * 3 + ["old"]


async def test_a_busy_port_holds_the_writer_up() -> None:
    async def body() -> None:
        await streams.append("out", 1)
        await streams.append("out", 2)

    run = Run(body)
    run.port.busy = busy = asyncio.get_running_loop().create_future()
    await idle()
    assert [chunk for *_, chunk in run.port.written] == ["1"]
    run.port.busy = None
    busy.set_result(None)
    await run.task
    assert [chunk for *_, chunk in run.port.written] == ["1", "2"]


async def test_a_stream_of_a_relative_or_of_any_run_is_written() -> None:
    async def body() -> None:
        for target in ("self", "parent", "root", "run_other"):
            await streams.append("out", target, target=target)
        await streams.append("out", "own", target=current().run_id)
        await metadata.parent.stream("out", ["by metadata"])

    order = {"parent_id": "run_p", "root_id": "run_r"}
    assert await written(body, **order) == [
        ("", "out", '"self"'),
        ("run_p", "out", '"parent"'),
        ("run_r", "out", '"root"'),
        ("run_other", "out", '"run_other"'),
        ("", "out", '"own"'),
        ("run_p", "out", '"by metadata"'),
    ]
    top = await written(body)
    assert [target for target, *_ in top] == ["", "", "", "run_other", "", ""]


async def test_what_the_body_wrote_is_left_out_while_it_is_replayed() -> None:
    async def inner() -> str:
        await streams.append("out", "in step")
        return "r"

    async def body() -> None:
        await streams.append("out", 1)
        await step("a", inner)
        await streams.append("out", 2)
        await step("b", inner)
        await streams.append("out", 3)

    first = Run(body)
    await first.task
    assert [chunk for *_, chunk in first.port.written] == [
        "1", '"in step"', "2", '"in step"', "3",
    ]  # fmt: skip
    one = [entry for entry in first.port.entries if entry.key == "a"]
    assert [chunk for *_, chunk in await written(body, entries=one)] == ["2", '"in step"', "3"]
    both = list(first.port.entries)
    assert [chunk for *_, chunk in await written(body, entries=both)] == ["3"]


async def test_a_step_writes_although_other_branches_are_still_replayed() -> None:
    async def inner(n: int) -> int:
        await streams.append("out", n)
        return n

    async def body() -> None:
        await asyncio.gather(step("a", inner, 1), step("b", inner, 2))

    first = Run(body)
    await first.task
    kept = [entry for entry in first.port.entries if entry.key.endswith("b")]
    assert kept
    assert [chunk for *_, chunk in await written(body, entries=kept)] == ["1"]


async def test_blocking_code_writes_and_reads(engine: Recorder) -> None:
    engine.answers[calls.ReadStream] = lambda ask: _page(["a", "b"], ask)

    def read() -> list[Any]:
        return list(streams.read_sync("run_7", "out"))

    assert await asyncio.to_thread(read) == ["a", "b"]
    engine.answers[calls.AppendChunks] = lambda ask: calls.StreamHead(1, 0)
    await asyncio.to_thread(streams.append_sync, "out", "x", target="run_7")
    assert [ask.chunks for ask in engine.asked if isinstance(ask, calls.AppendChunks)] == [['"x"']]


async def test_code_outside_of_runs_writes_to_a_run_by_its_id(engine: Recorder) -> None:
    engine.answers[calls.AppendChunks] = lambda ask: calls.StreamHead(1, 0)
    assert await streams.pipe("out", letters("ab"), target="run_7") == 2
    await streams.append("out", 3, target="run_7")
    asked = [ask for ask in engine.asked if isinstance(ask, calls.AppendChunks)]
    assert [(ask.run_id, ask.stream, ask.chunks, ask.first) for ask in asked] == [
        ("run_7", "out", ['"a"'], 0),
        ("run_7", "out", ['"b"'], 1),
        ("run_7", "out", ["3"], 0),
    ]
    assert asked[0].writer == asked[1].writer != asked[2].writer


async def test_outside_of_a_run_there_is_no_stream_of_this_run() -> None:
    with pytest.raises(Misplaced, match="outside a run"):
        await streams.append("out", 1)


async def test_code_that_is_tried_without_a_run_writes_to_nobody() -> None:
    @task
    async def body() -> int:
        await streams.append("out", 1)
        return await streams.pipe("out", [1, 2])

    assert await body.local() == 2


@pytest.mark.parametrize("target", ["", "me", "runs_1"])
async def test_a_target_is_a_relative_or_a_run(target: str) -> None:
    with pytest.raises(InvalidOptions, match="target"):
        await streams.append("out", 1, target=target)


async def test_what_cannot_be_a_chunk_is_refused_where_it_is_written() -> None:
    async def body() -> None:
        with pytest.raises(InvalidOptions, match="JSON"):
            await streams.append("out", object())
        with pytest.raises(InvalidOptions, match="NUL"):
            await streams.append("out", "a\0")
        with pytest.raises(PayloadTooLarge):
            await streams.append("out", "x" * 600_000)
        with pytest.raises(InvalidOptions, match="name of a stream"):
            await streams.append("", 1)

    assert await written(body) == []


def _page(values: list[Any], ask: calls.ReadStream, *, most: int = 1000) -> calls.StreamPage:
    """What a server with these chunks of an ended run answers."""
    first = len(values) if ask.first < 0 else ask.first
    part = values[first : first + min(ask.limit, most)]
    chunks = [
        calls.Chunk(first + n, f'"{value}"', 1_000 + first + n, 1) for n, value in enumerate(part)
    ]
    after = first + len(part)
    return calls.StreamPage(chunks, after, after >= len(values))


@given(st.integers(0, 30), st.integers(0, 35), st.integers(1, 7))
def test_reading_from_any_number_gives_the_rest_whatever_the_pages(
    count: int, first: int, most: int
) -> None:
    async def read() -> list[Any]:
        engine = Recorder()
        values = [f"{n}" for n in range(count)]
        engine.answers[calls.ReadStream] = lambda ask: _page(values, ask, most=most)
        with transport.using(engine):
            found = streams.define("out", str).records("run_7", start_index=first)
            return [(record.index, record.data) async for record in found]

    assert asyncio.run(read()) == [(n, f"{n}") for n in range(first, count)]


async def test_chunks_are_read_as_their_type(engine: Recorder) -> None:
    data = ['{"text":"a","n":3}', '{"text":7}']

    def page(ask: calls.ReadStream) -> calls.StreamPage:
        chunks = [calls.Chunk(n, text, 5, 2) for n, text in enumerate(data)]
        return calls.StreamPage(chunks, 2, True)

    engine.answers[calls.ReadStream] = page
    found = streams.define("out", Token).records("run_7")
    record = await anext(found)
    assert (record.index, record.data, record.at, record.epoch) == (0, Token("a", 3), 5, 2)
    with pytest.raises(InvalidPayload, match="stream 'out'"):
        await anext(found)


async def test_reading_ends_when_nothing_comes_in_time(engine: Recorder) -> None:
    pages = [calls.StreamPage([calls.Chunk(0, '"a"', 5)], 1)]

    def page(ask: calls.ReadStream) -> calls.StreamPage:
        return pages.pop() if pages else calls.StreamPage([], ask.first)

    engine.answers[calls.ReadStream] = page
    assert [chunk async for chunk in streams.read("run_7", "out", timeout=0)] == ["a"]
    asked = [ask for ask in engine.asked if isinstance(ask, calls.ReadStream)]
    assert [(ask.first, ask.timeout_ms) for ask in asked] == [(0, 0), (1, 0)]


async def test_reading_can_begin_with_what_comes_next(engine: Recorder) -> None:
    engine.answers[calls.ReadStream] = lambda ask: _page(["a", "b", "c"], ask)
    assert [chunk async for chunk in streams.read("run_7", "out", latest=True)] == []
    asked = [ask for ask in engine.asked if isinstance(ask, calls.ReadStream)]
    assert (asked[0].first, asked[0].timeout_ms) == (-1, 0)
    with pytest.raises(InvalidOptions, match="start_index"):
        await anext(streams.read("run_7", latest=True, start_index=3))
    with pytest.raises(InvalidOptions, match="start_index"):
        await anext(streams.read("run_7", start_index=-1))


async def test_what_was_sent_to_a_run_is_read_from_outside(engine: Recorder) -> None:
    engine.answers[calls.ReadStream] = lambda ask: _page(["hi"], ask)
    assert [text async for text in streams.input("chat", str).read("run_7")] == ["hi"]
    (asked,) = [ask for ask in engine.asked if isinstance(ask, calls.ReadStream)]
    assert asked.input
