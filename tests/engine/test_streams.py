"""Streams: what the code of runs writes is numbered without gaps, once, and read from anywhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mainspring.engine import streams
from mainspring.errors import (
    Conflict,
    FencedOut,
    InvalidOptions,
    InvalidPayload,
    MainspringError,
    NotFound,
    PayloadTooLarge,
    StoreUnavailable,
)
from mainspring.model.run import TriggerRequest
from mainspring.store.sqlite import SqliteStore
from mainspring.wire import calls
from mainspring.wire.worker import Append, Fenced, Finished
from tests.engine.durable import started, waits
from tests.engine.house import WORK, House, Worker

MINUTE = 60_000


class Pen:
    """The code of one execution of a run, writing to one of its streams."""

    def __init__(self, worker: Worker, run_id: str, stream: str = "out", target: str = "") -> None:
        self.worker = worker
        self.target = target
        self.run_id = run_id
        self.stream = stream
        self.order = worker.runs[run_id]
        self.since = self.order.epoch
        self.sent = 0

    def message(self, *chunks: Any) -> Append:
        texts = [chunk if isinstance(chunk, str) else f"{chunk}" for chunk in chunks]
        made = Append(
            self.run_id, self.order.epoch, self.stream, self.since, self.sent, texts, self.target
        )
        self.sent += len(texts)
        return made

    def write(self, *chunks: Any) -> None:
        self.worker.send(self.message(*chunks))


async def read(house: House, run_id: str, stream: str = "out", **how: Any) -> calls.StreamPage:
    page: calls.StreamPage = await house.ask(calls.ReadStream(run_id, stream, **how))
    return page


async def texts(house: House, run_id: str, stream: str = "out", first: int = 0) -> list[str]:
    """The chunks of a stream from a number on; there are few."""
    page = await read(house, run_id, stream, first=first)
    assert [chunk.number for chunk in page.chunks] == list(range(first, first + len(page.chunks)))
    assert page.next == first + len(page.chunks)
    return [chunk.data for chunk in page.chunks]


async def append(
    house: House,
    run_id: str,
    *chunks: str,
    writer: str = "w",
    first: int = 0,
    stream: str = "out",
) -> calls.StreamHead:
    request = calls.AppendChunks(run_id, stream, list(chunks), writer, first)
    head: calls.StreamHead = await house.ask(request)
    return head


async def test_chunks_are_numbered_by_run_and_stream(house: House) -> None:
    worker = house.worker()
    first, second = await started(house, worker), await started(house, worker)
    Pen(worker, first).write(0, 1)
    Pen(worker, second).write(7)
    Pen(worker, first, "other").write('"x"', "{}")
    await house.settle()
    assert await texts(house, first) == ["0", "1"]
    assert await texts(house, second) == ["7"]
    assert await texts(house, first, "other") == ['"x"', "{}"]
    assert await texts(house, first, "none") == []


async def test_a_stream_goes_on_where_it_was(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    for n in range(5):
        pen.write(n)
        if n % 2:
            await house.settle()
    await house.settle()
    assert await texts(house, run_id) == ["0", "1", "2", "3", "4"]
    assert await texts(house, run_id, first=3) == ["3", "4"]
    assert await texts(house, run_id, first=9) == []


async def test_nothing_is_read_for_a_stream_whose_end_is_known(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    pen.write(0)
    await house.settle()
    house.faults.open.clear()
    pen.write(1)
    await house.breathe()
    pen.write(2)  # while the commit of the one before is under way
    await house.breathe()
    assert house.owner._ahead is not None
    house.faults.open.set()
    await house.settle()
    assert await texts(house, run_id) == ["0", "1", "2"]


@pytest.mark.parametrize("ends", [["kept", "kept"], ["lost", "lost", "kept"], ["refused"]])
async def test_a_doubtful_commit_writes_once(house: House, ends: list[str]) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    pen.write(0)
    await house.settle()
    house.faults.next.extend(ends)
    pen.write(1, 2)
    others = [append(house, run_id, f"{n}", writer=f"w{n}") for n in (3, 4)]
    await asyncio.gather(*others)
    await house.settle()
    found = await texts(house, run_id)
    assert found[:1] == ["0"]
    assert sorted(found) == ["0", "1", "2", "3", "4"]
    assert found.index("1") + 1 == found.index("2")


async def test_a_frame_that_comes_again_after_a_crash_writes_nothing_twice(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    pen.write(0, 1)
    await house.settle()
    worker.acked = 0  # the acknowledgement was lost
    await house.crash()
    pen.write(2)
    worker.connect()
    await house.settle()
    assert await texts(house, run_id) == ["0", "1", "2"]


async def test_a_run_that_is_executed_again_goes_on_with_the_stream(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    Pen(worker, run_id).write(0, 1)
    await house.settle()
    house.engine.lost(house.env, worker.session_id)
    second = house.worker()
    await house.settle()
    assert second.runs[run_id].epoch == 2
    Pen(second, run_id).write(0, 1, 2)
    await house.settle()
    page = await read(house, run_id)
    assert [(chunk.data, chunk.epoch) for chunk in page.chunks] == [
        ("0", 1), ("1", 1), ("0", 2), ("1", 2), ("2", 2),
    ]  # fmt: skip


async def test_an_attempt_that_is_over_writes_nothing(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    pen.write(0)
    worker.finish(run_id)
    await house.settle()
    pen.write(1)
    await house.settle()
    assert await texts(house, run_id) == ["0"]
    assert Fenced(run_id, 1) in worker.orders


async def test_what_is_written_before_the_end_is_there_when_the_end_is(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    reading = asyncio.create_task(read(house, run_id, timeout_ms=MINUTE))
    await house.breathe()
    worker.send(pen.message(0, 1), Finished(run_id, 1, "completed", "null"))
    page = await reading
    assert [chunk.data for chunk in page.chunks] == ["0", "1"]
    assert (await read(house, run_id, first=2, timeout_ms=MINUTE)).ended
    assert (await read(house, run_id)).ended


@pytest.mark.parametrize("chunk", ["{", '"\\u0000"', "1" * 530_000])
async def test_a_chunk_that_cannot_be_stored_ends_the_run_with_the_reason(
    house: House, chunk: str
) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    Pen(worker, run_id).write(chunk)
    await house.settle()
    run = await house.run(run_id)
    assert run.status.value in ("failed", "system_failure", "crashed")
    assert run.error is not None
    assert "chunk" in run.error.message.lower()


async def test_others_write_to_a_run_that_has_not_ended(house: House) -> None:
    worker = house.worker(slots=1)
    run_id = await started(house, worker)
    waiting = await house.trigger()
    for target in (run_id, waiting):
        assert await append(house, target, "0", "1") == calls.StreamHead(2, 1)
        assert await append(house, target, "2", writer="other") == calls.StreamHead(3, 0)
        assert await texts(house, target) == ["0", "1", "2"]
    worker.finish(run_id)
    await house.settle()
    with pytest.raises(Conflict, match="ended as completed"):
        await append(house, run_id, "3")
    assert await texts(house, run_id) == ["0", "1", "2"]


async def test_a_writer_who_repeats_himself_is_recognized_by_his_own_count(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    await append(house, run_id, "0", "1")
    assert await append(house, run_id, "0", "1") == calls.StreamHead(2, 1)
    assert await append(house, run_id, "1", "2", "3", first=1) == calls.StreamHead(4, 3)
    both = await asyncio.gather(*(append(house, run_id, "4", first=4) for _ in range(2)))
    assert both == [calls.StreamHead(5, 4)] * 2
    await house.crash()
    assert await append(house, run_id, "4", "5", first=4) == calls.StreamHead(6, 5)
    assert await texts(house, run_id) == ["0", "1", "2", "3", "4", "5"]
    found = await house.ask(calls.FindStream(run_id, "out", "w"))
    assert found == calls.StreamHead(6, 5)
    assert await house.ask(calls.FindStream(run_id, "out", "nobody")) == calls.StreamHead(6, -1)


async def test_a_run_and_others_write_to_one_stream(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    for n in range(4):
        pen.write(n)
        await append(house, run_id, f'"{n}"', writer=f"w{n}")
    await house.settle()
    found = await texts(house, run_id)
    assert [text for text in found if text.isdigit()] == ["0", "1", "2", "3"]
    assert [text for text in found if not text.isdigit()] == ['"0"', '"1"', '"2"', '"3"']


async def test_a_child_writes_to_its_parent_whether_that_executes_or_waits(house: House) -> None:
    worker = house.worker()
    parent, child = await started(house, worker), await started(house, worker)
    pen = Pen(worker, child, target=parent)
    pen.write(0, 1)
    Pen(worker, parent).write('"own"')
    await house.settle()
    waits(worker, parent, "nap", "time", after_ms=MINUTE)
    await house.settle()
    assert await house.status(parent) == "waiting"
    pen.write(2)
    await house.settle()
    worker.acked = 0
    await house.crash()
    worker.connect()
    pen.write(3)
    await house.settle()
    page = await read(house, parent)
    assert [chunk.data for chunk in page.chunks] == ["0", "1", '"own"', "2", "3"]
    assert [chunk.epoch for chunk in page.chunks] == [0, 0, 1, 0, 0]
    assert (await house.run(parent)).streams == ("out",)
    assert (await house.run(child)).streams == ()


async def test_what_another_run_does_not_take_is_told_in_the_log(house: House) -> None:
    worker = house.worker()
    ended, child = await started(house, worker), await started(house, worker)
    worker.finish(ended)
    prod = await house.engine.environment("prod")
    foreign = calls.Trigger([TriggerRequest("work")])
    house.engine.owners[prod.shard_id].state.set_task(prod.env_id, WORK, "")
    [made] = (await house.engine.answer(prod, foreign)).answers
    for target in (ended, made.run_id, "run_x"):
        Pen(worker, child, target=target).write(0)
    Pen(worker, child).write(1)
    await house.settle()
    page = await house.ask(calls.ListLogs(child))
    assert [line.level for line in page.lines] == ["warning"] * 3
    assert "that run has ended" in page.lines[0].message
    assert "that run is not there" in page.lines[1].message
    assert await texts(house, ended) == []
    assert await texts(house, child) == ["1"]
    assert (await house.engine.answer(prod, calls.ReadStream(made.run_id, "out"))).chunks == []


async def test_chunks_that_meet_the_end_of_their_run_are_left_out(house: House) -> None:
    worker = house.worker()
    parent, child = await started(house, worker), await started(house, worker)
    pen = Pen(worker, child, target=parent)
    worker.send(Finished(parent, 1, "completed", "null"), pen.message(0))
    await house.settle()
    assert await texts(house, parent) == []


async def test_a_call_of_an_attempt_that_is_over_writes_nothing(house: House) -> None:
    worker = house.worker()
    child, parent = await started(house, worker), await started(house, worker)
    request = calls.AppendChunks(parent, "out", ["1"], "child")
    await house.engine.answer(house.env, request, child, 1)
    with pytest.raises(FencedOut):
        await house.engine.answer(house.env, request, child, 2)
    worker.finish(child)
    await house.settle()
    with pytest.raises(FencedOut):
        await house.engine.answer(house.env, request, child, 1)
    assert await texts(house, parent) == ["1"]


@pytest.mark.parametrize(
    "request_, error",
    [
        (calls.AppendChunks("", "", ["1"], "w"), InvalidOptions),
        (calls.AppendChunks("", "x" * 129, ["1"], "w"), InvalidOptions),
        (calls.AppendChunks("", "out", ["{"], "w"), InvalidPayload),
        (calls.AppendChunks("", "out", ["1" * 530_000], "w"), PayloadTooLarge),
        (calls.AppendChunks("", "out", ["1"], "@1"), InvalidOptions),
        (calls.AppendChunks("", "out", ["1"], "w", -1), InvalidOptions),
        (calls.AppendChunks("", "out", ["1"] * 1_001, "w"), InvalidOptions),
        (calls.ReadStream("", "a\0"), InvalidOptions),
        (calls.FindStream("", ""), InvalidOptions),
    ],
)
async def test_what_makes_no_sense_is_refused(
    house: House, request_: Any, error: type[MainspringError]
) -> None:
    house.worker(slots=0)
    request_.run_id = await house.trigger()
    with pytest.raises(error):
        await house.ask(request_)
    assert await texts(house, request_.run_id) == []


async def test_streams_of_unknown_and_foreign_runs_are_not_found(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    other = await house.engine.environment("prod")
    for request in (
        calls.AppendChunks(run_id, "out", ["1"], "w"),
        calls.FindStream(run_id, "out"),
        calls.ReadStream(run_id, "out"),
        calls.FindRun(run_id),
    ):
        with pytest.raises(NotFound):
            await house.engine.answer(other, request)
        request.run_id = "run_x"
        with pytest.raises(NotFound):
            await house.ask(request)


async def test_a_run_shows_the_names_of_its_streams(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    before = await house.run(run_id)
    assert before.streams == ()
    watch = house.engine.watch(house.env, ("run", run_id))
    Pen(worker, run_id, "b").write(0)
    await house.settle()
    await append(house, run_id, stream="a")  # only announced
    assert watch.rung
    after = await house.run(run_id)
    assert after.streams == ("a", "b")
    assert after.change > before.change
    watch.rung = False
    Pen(worker, run_id, "b").message()
    Pen(worker, run_id, "b").write(1)
    await house.settle()
    assert (await house.run(run_id)).change == after.change
    watch.close()


async def test_who_waits_for_chunks_is_woken_by_them(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    for n in range(3):
        reading = asyncio.create_task(read(house, run_id, first=n, timeout_ms=MINUTE))
        await house.breathe()
        assert not reading.done()
        pen.write(n)
        page = await reading
        assert [chunk.data for chunk in page.chunks] == [f"{n}"]
        assert page.next == n + 1


async def test_who_wants_the_latest_hears_only_what_comes(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    pen.write(0, 1)
    await house.settle()
    page = await read(house, run_id, first=-1)
    assert (page.chunks, page.next) == ([], 2)


async def test_a_wait_for_chunks_ends_with_its_time(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    page = await read(house, run_id, first=3, timeout_ms=1)
    assert page == calls.StreamPage([], 3)


async def test_a_reader_of_a_run_that_gets_another_owner_is_told(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    reading = asyncio.create_task(read(house, run_id, timeout_ms=MINUTE))
    await house.breathe()
    await house.engine.stop()
    with pytest.raises(StoreUnavailable):
        await reading


async def test_inputs_are_read_like_streams_and_wake_readers(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    await house.ask(calls.SendInput(run_id, "chat", '"a"'))
    page = await read(house, run_id, "chat", input=True)
    assert [(chunk.number, chunk.data) for chunk in page.chunks] == [(0, '"a"')]
    reading = asyncio.create_task(
        read(house, run_id, "chat", input=True, first=1, timeout_ms=MINUTE)
    )
    await house.breathe()
    large = '"' + "x" * 100_000 + '"'
    await house.ask(calls.SendInput(run_id, "chat", large))
    page = await reading
    assert [(chunk.number, chunk.data) for chunk in page.chunks] == [(1, large)]
    assert (await read(house, run_id, "chat", input=True, first=-1)).next == 2


async def test_ends_of_many_streams_are_not_all_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEADS", 8)
    worker = house.worker()
    run_id = await started(house, worker)
    pens = [Pen(worker, run_id, f"s{n}") for n in range(30)]
    for n in range(4):
        for pen in pens:
            pen.write(n)
            if pen.stream in ("s3", "s29"):
                await house.settle()
    await house.settle()
    assert len(house.owner.state.heads) <= 30
    for pen in pens:
        assert await texts(house, run_id, pen.stream) == ["0", "1", "2", "3"]


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["ok", "kept", "lost", "crash", "again"])),
        max_size=8,
    ),
    st.integers(1, 5),
)
def test_every_offset_sees_the_rest_once_and_in_order(
    batches: list[tuple[int, str]], limit: int
) -> None:
    asyncio.run(_written_and_read(batches, limit))


async def _written_and_read(batches: list[tuple[int, str]], limit: int) -> None:
    store = SqliteStore(":memory:")
    await store.open()
    house = House(store)
    await house.start()
    worker = house.worker()
    run_id = await started(house, worker)
    pen = Pen(worker, run_id)
    for count, end in batches:
        if end in ("kept", "lost"):
            house.faults.next.append(end)
        pen.write(*range(pen.sent, pen.sent + count))
        if end != "again":
            await house.settle()
        if end in ("crash", "again"):
            worker.acked = 0
            await house.crash()
            worker.connect()
    await house.settle()
    for first in range(pen.sent + 2):
        found: list[int] = []
        at = first
        while (page := await read(house, run_id, first=at, limit=limit)).chunks:
            assert len(page.chunks) <= limit
            found += [int(chunk.data) for chunk in page.chunks]
            at = page.next
        assert found == list(range(first, pen.sent))
    await house.stop()
    await store.close()
