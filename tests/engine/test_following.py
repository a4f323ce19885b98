"""Following runs and logs: nothing is missed, nothing comes twice, whoever owns the shard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainspring.engine.following import PAGE
from mainspring.errors import InvalidOptions, NotFound, StoreUnavailable
from mainspring.model.run import Run
from mainspring.wire import calls
from mainspring.wire.worker import LogLine, Logs, Op
from tests.engine.house import House, request

PATIENT = 20_000


class Reader:
    """Follows runs like a client: goes on from where the page before has ended."""

    def __init__(self, house: House, **wanted: Any) -> None:
        self.house = house
        self.request = calls.AwaitRuns(**wanted)
        self.seen: list[Run] = []

    async def more(self, timeout_ms: int = 0) -> list[Run]:
        """The runs of the next page."""
        self.request.timeout_ms = timeout_ms
        page: calls.ChangedRuns = await self.house.ask(self.request)
        assert (page.after, page.beside) >= (self.request.after, self.request.beside)
        self.request.after, self.request.beside = page.after, page.beside
        self.seen += page.runs
        return page.runs

    async def states(self, timeout_ms: int = 0) -> list[str]:
        return [run.status.value for run in await self.more(timeout_ms)]

    async def all(self) -> list[Run]:
        """Every page that is there."""
        found: list[Run] = []
        while runs := await self.more():
            found += runs
        return found


def waiting(reader: Reader) -> asyncio.Task[list[Run]]:
    return asyncio.ensure_future(reader.more(PATIENT))


async def test_a_run_is_followed_from_its_present_state_to_its_end(house: House) -> None:
    worker = house.worker(slots=0, inside=True)
    run_id = await house.trigger({"n": 1})
    reader = Reader(house, run_id=run_id)
    assert await reader.states(PATIENT) == ["queued"]
    assert reader.seen[0].payload == '{"n":1}'
    assert await reader.states() == []
    coming = waiting(reader)
    await house.breathe()
    assert not coming.done()
    await house.ask(calls.UpdateMetadata(run_id, [Op("set", "a", "2")]))
    assert [run.metadata for run in await coming] == ['{"a":2}']
    worker.slots = 1
    worker.connect()
    await house.settle()
    assert len(await reader.states(PATIENT)) == 1
    coming = waiting(reader)
    worker.finish(run_id, "x" * 100_000)
    (last,) = await coming
    assert last.status.is_final
    assert len(last.output or "") == 100_002


async def test_a_state_that_was_passed_meanwhile_is_not_told(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    reader = Reader(house, run_id=run_id)
    await reader.more()
    worker.finish(run_id, 1)
    await house.settle()
    assert await reader.states(PATIENT) == ["completed"]
    assert await reader.states() == []


async def test_without_news_an_empty_page_comes_in_time(house: House) -> None:
    house.worker(slots=0)
    reader = Reader(house, run_id=await house.trigger())
    await reader.more()
    before = reader.request.after
    assert await reader.more(1) == []
    assert reader.request.after == before


@pytest.mark.parametrize("by", ["tags", "batch_id"])
async def test_a_list_tells_its_runs_and_those_that_join(house: House, by: str) -> None:
    worker = house.worker(slots=0)
    marks: Any = {"tags": ("red", "big")} if by == "tags" else {"batch_id": "batch_a"}
    old = await house.trigger(**marks)
    await house.trigger(tags=("red",), batch_id="batch_b")  # no run of the list
    reader = Reader(house, **marks)
    assert [run.id for run in await reader.all()] == [old]
    coming = waiting(reader)
    await house.trigger(tags=("blue",))
    new = await house.trigger(**marks)
    assert [run.id for run in await coming] == [new]
    worker.slots = 5
    worker.connect()
    await house.settle()
    assert {run.id for run in await reader.all()} == {old, new}
    worker.finish(old, 1)
    await house.settle()
    assert [(run.id, run.status.value) for run in await reader.all()] == [(old, "completed")]


async def test_a_run_that_gets_the_tag_later_joins(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(tags=("red",))
    reader = Reader(house, tags=("red", "late"))
    assert await reader.all() == []
    coming = waiting(reader)
    await house.breathe()
    await house.ask(calls.AddTags(run_id, ("late",)))
    assert [run.id for run in await coming] == [run_id]


async def test_runs_of_one_commit_are_paged_without_loss(house: House) -> None:
    house.worker(slots=0)
    wanted = [request(n, tags=("many",)) for n in range(2 * PAGE + 50)]
    made = (await house.ask(calls.Trigger(wanted))).answers
    reader = Reader(house, tags=("many",))
    pages = [len(await reader.more()) for _ in range(4)]
    assert pages == [PAGE, PAGE, 50, 0]
    assert {run.id for run in reader.seen} == {answer.run_id for answer in made}
    assert len({run.change for run in reader.seen}) < len(made)


async def test_another_environment_sees_nothing(house: House) -> None:
    worker = house.worker(slots=0)
    run_id = await house.trigger(tags=("red",), batch_id="batch_a")
    other = await house.engine.environment("prod")
    assert worker is not None
    for wanted in (calls.AwaitRuns(tags=("red",)), calls.AwaitRuns(batch_id="batch_a")):
        found: Any = await house.engine.answer(other, wanted)
        assert found.runs == []
    with pytest.raises(NotFound):
        await house.engine.answer(other, calls.AwaitRuns(run_id))


async def test_a_takeover_ends_the_wait_and_loses_nothing(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(tags=("red",))
    reader = Reader(house, tags=("red",))
    await reader.all()
    coming = waiting(reader)
    await house.breathe()
    former = house.engine
    await house.take_over("server-2")
    new = await house.trigger(tags=("red",))
    await house.ask(calls.CancelRun(run_id))
    with pytest.raises(StoreUnavailable):
        await former.answer(house.env, calls.Trigger([request()]))
    with pytest.raises(StoreUnavailable):
        await coming
    found = await reader.all()
    assert {run.id: run.status.value for run in found} == {new: "queued", run_id: "canceled"}


async def test_a_reader_that_is_away_for_long_finds_everything_that_is_new(house: House) -> None:
    house.worker(slots=0)
    first = await house.trigger(tags=("red",))
    reader = Reader(house, tags=("red",))
    await reader.all()
    await house.crash()  # what memory knew of changes is gone
    second = await house.trigger(tags=("red",))
    await house.ask(calls.CancelRun(first))
    assert {run.id for run in await reader.all()} == {first, second}


async def test_while_much_happens_every_last_state_is_told_once_and_in_order(house: House) -> None:
    worker = house.worker(slots=50, inside=True)
    reader = Reader(house, tags=("busy",))

    async def read() -> None:
        ended: set[str] = set()
        while len(ended) < 60:
            ended |= {run.id for run in await reader.more(PATIENT) if run.status.is_final}

    reading = asyncio.ensure_future(read())
    made: list[str] = []
    for round_ in range(6):
        made += [await house.trigger(n, tags=("busy", f"r{round_}")) for n in range(10)]
        await house.settle()
        for run_id in made[-10:]:
            if run_id in worker.runs:
                worker.finish(run_id, 1)
    await house.settle()
    async with asyncio.timeout(10):
        await reading
    places = [(run.change, run.id) for run in reader.seen]
    assert places == sorted(set(places))
    stored = await house.store.runs.many(house.env.shard_id, made)
    told = {run.id: (run.status, run.change) for run in reader.seen}
    assert told == {run.id: (run.status, run.change) for run in stored}


@pytest.mark.parametrize("wanted", [{}, {"run_id": "run_1", "tags": ("a",)}])
async def test_exactly_one_thing_is_followed(house: House, wanted: Any) -> None:
    with pytest.raises(InvalidOptions, match="exactly one"):
        await house.ask(calls.AwaitRuns(**wanted))


async def test_lines_come_as_they_are_written_and_end_with_the_run(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    page: Any = await house.ask(calls.ListLogs(run_id, timeout_ms=1))
    assert (page.lines, page.ended) == ([], False)
    coming = asyncio.ensure_future(house.ask(calls.ListLogs(run_id, timeout_ms=PATIENT)))
    await house.breathe()
    worker.send(Logs([LogLine(run_id, 1, "info", "one"), LogLine(run_id, 2, "info", "two")]))
    await house.engine.tick()
    page = await coming
    assert ([line.message for line in page.lines], page.ended) == (["one", "two"], False)
    coming = asyncio.ensure_future(
        house.ask(calls.ListLogs(run_id, page.lines[-1].seq, timeout_ms=PATIENT))
    )
    await house.breathe()
    worker.send(Logs([LogLine(run_id, 3, "info", "last")]))
    worker.finish(run_id, 1)
    page = await coming
    lines = list(page.lines)
    if not page.ended:
        after = lines[-1].seq if lines else 2
        page = await house.ask(calls.ListLogs(run_id, after, timeout_ms=PATIENT))
        lines += page.lines
    assert ([line.message for line in lines], page.ended) == (["last"], True)


async def test_a_page_of_lines_that_is_full_is_not_the_last(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    worker.send(Logs([LogLine(run_id, n, "info", str(n)) for n in range(5)]))
    worker.finish(run_id, 1)
    await house.settle()
    first: Any = await house.ask(calls.ListLogs(run_id, 0, 5))
    rest: Any = await house.ask(calls.ListLogs(run_id, first.lines[-1].seq, 5))
    assert (len(first.lines), first.ended, rest.lines, rest.ended) == (5, False, [], True)
