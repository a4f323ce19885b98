"""How chunks of a stream are gathered: the first at once, the next ones while one is on its way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainspring import metadata, step, streams, task, wait
from mainspring.errors import FencedOut
from mainspring.wire.worker import Append, Fenced, Finished, Park, Record, Update, Wait
from mainspring.worker import outlet
from mainspring.worker.outlet import Outlet
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute


class Server:
    """Takes batches, and makes them durable when told."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, list[str]]] = []
        self.on_way: list[asyncio.Future[None]] = []

    def say(self, first: int, chunks: list[str]) -> asyncio.Future[None]:
        self.batches.append((first, chunks))
        self.on_way.append(asyncio.get_running_loop().create_future())
        return self.on_way[-1]

    async def ack(self) -> None:
        self.on_way.pop(0).set_result(None)
        await asyncio.sleep(0)


@pytest.fixture
async def server() -> Server:
    return Server()


def opened(server: Server) -> Outlet:
    return Outlet(asyncio.get_running_loop(), server.say)


async def test_the_first_chunk_goes_at_once_and_the_next_ones_with_its_acknowledgement(
    server: Server,
) -> None:
    out = opened(server)
    for chunk in "abc":
        assert out.put(chunk) is None
    assert server.batches == [(0, ["a"])]
    await server.ack()
    assert server.batches == [(0, ["a"]), (1, ["b", "c"])]
    await server.ack()
    out.put("d")
    assert server.batches[-1] == (3, ["d"])


async def test_chunks_do_not_wait_long_for_a_slow_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "GATHER_S", 0)
    out = opened(server)
    for chunk in "abc":
        out.put(chunk)
    while len(server.batches) < 2:  # noqa: ASYNC110 - a timer of the loop, due at once
        await asyncio.sleep(0)
    assert server.batches == [(0, ["a"]), (1, ["b", "c"])]


async def test_a_large_batch_goes_at_once(server: Server) -> None:
    out = opened(server)
    out.put("a")
    out.put("b" * outlet.BATCH)
    assert [first for first, _ in server.batches] == [0, 1]


async def test_a_fast_writer_waits_for_the_oldest_batch(server: Server) -> None:
    out = opened(server)
    chunk = "x" * outlet.BATCH
    waits = None
    while waits is None:
        waits = out.put(chunk)
    assert len(server.batches) == outlet.AHEAD // outlet.BATCH + 1
    assert not waits.done()
    await server.ack()
    await asyncio.wait_for(waits, 5)


async def test_a_writer_that_gives_up_takes_nothing_from_the_others(server: Server) -> None:
    out = opened(server)
    first, second = (out.put("x" * (outlet.AHEAD + 1)) for _ in range(2))
    assert first is not None
    assert second is not None
    first.cancel()
    await server.ack()
    await asyncio.wait_for(second, 5)


def said(engine: Engine) -> list[Any]:
    """What the run said, in order: chunks as text, the rest by kind."""
    found: list[Any] = []
    for message in engine.messages:
        if isinstance(message, Append):
            found += message.chunks
        elif isinstance(message, Record | Wait | Park | Update | Finished):
            found.append(type(message).__name__)
    return found


async def run(engine: Engine, worker: Worker, body: Any) -> list[Any]:
    await worker()
    engine.order(execute(body.id))
    await engine.until(lambda: engine.ended)
    return said(engine)


async def test_chunks_keep_their_order_with_everything_else(
    engine: Engine, anywhere: Worker
) -> None:
    async def nothing() -> None: ...

    @task
    async def body() -> None:
        for n in range(3):
            await streams.append("out", n)
        metadata.set("a", 1)
        await streams.append("out", 3)
        await streams.append("out", 4)
        await step("s", nothing)
        await streams.append("out", 5)
        await streams.append("out", 6)

    assert await run(engine, anywhere, body) == [
        "0", "1", "2", "Update", "3", "4", "Record", "5", "6", "Finished",
    ]  # fmt: skip
    batches = engine.of(Append)
    assert [b.first for b in batches] == [
        sum(len(x.chunks) for x in batches[:n]) for n in range(len(batches))
    ]
    assert {(b.run_id, b.epoch, b.since, b.stream, b.target) for b in batches} == {
        ("run_1", 1, 1, "out", "")
    }


async def test_chunks_come_before_the_wait_that_follows(engine: Engine, anywhere: Worker) -> None:
    @task
    async def body() -> None:
        for n in range(3):
            await streams.append("out", n)
        await wait.for_("1h")

    await anywhere()
    engine.order(execute("body"))
    await engine.until(lambda: engine.of(Park))
    assert said(engine) == ["0", "1", "2", "Wait", "Park"]


async def test_chunks_of_a_branch_that_has_ended_come_before_the_run_is_parked(
    engine: Engine, anywhere: Worker
) -> None:
    begun = asyncio.Event()

    async def other() -> None:
        await begun.wait()
        for n in range(3):
            await streams.append("out", n)

    async def waits() -> None:
        begun.set()
        await wait.for_("1h")

    @task
    async def body() -> None:
        await asyncio.gather(other(), waits())

    engine.stop_acks()  # so that the chunks after the first are still gathered
    await anywhere()
    engine.order(execute("body"))
    await engine.until(lambda: engine.of(Park))
    assert said(engine) == ["Wait", "0", "1", "2", "Park"]


async def test_a_failed_body_loses_nothing_that_it_wrote(engine: Engine, anywhere: Worker) -> None:
    @task
    async def body() -> None:
        for n in range(3):
            await streams.append("out", n)
        raise ValueError("no")

    assert await run(engine, anywhere, body) == ["0", "1", "2", "Finished"]


async def test_plain_functions_write_too(engine: Engine, anywhere: Worker) -> None:
    @task
    def body() -> int:
        streams.append_sync("out", {"n": 0})
        return streams.pipe_sync("out", ["a", "b"])

    assert await run(engine, anywhere, body) == ['{"n":0}', '"a"', '"b"', "Finished"]
    assert engine.ended["run_1"].output == "2"


async def test_pipe_returns_once_everything_is_stored(engine: Engine, anywhere: Worker) -> None:
    @task
    async def body() -> int:
        return await streams.pipe("out", range(3))

    engine.stop_acks()
    await anywhere()
    engine.order(execute("body"))
    await engine.until(lambda: sum(len(one.chunks) for one in engine.of(Append)) == 3)
    assert not engine.ended
    engine.ack_all()
    await engine.until(lambda: engine.ended)
    assert engine.ended["run_1"].output == "3"


async def test_code_of_an_attempt_that_was_taken_away_writes_nothing(
    engine: Engine, anywhere: Worker
) -> None:
    ended: list[BaseException] = []
    begun, go = asyncio.Event(), asyncio.Event()

    @task
    async def body() -> None:
        begun.set()
        try:
            await go.wait()
        except asyncio.CancelledError:
            try:
                await streams.append("out", 1)
            except FencedOut as error:
                ended.append(error)
            raise

    await anywhere()
    engine.order(execute("body"))
    await begun.wait()
    engine.order(Fenced("run_1", 1))
    while not ended:  # noqa: ASYNC110 - the body is canceled on this loop
        await asyncio.sleep(0)
    assert engine.of(Append) == []
