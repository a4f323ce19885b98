"""Runs that ended long ago go, with all that is theirs; what lives, or is awaited, stays."""

from collections.abc import Sequence

import asyncpg
import pytest

from mainspring.engine import retention
from mainspring.errors import FencedOut
from mainspring.model.run import Run
from mainspring.store import past
from mainspring.store.changes import Changes
from mainspring.store.measuring import SpanRow
from mainspring.store.postgres import PostgresStore
from mainspring.wire.worker import LogLine
from tests.engine.house import DAY, WORK, House, request

TABLES = (
    "run", "run_done", "journal", "log", "metadata", "run_tag", "run_mark", "stream",
    "stream_chunk", "input", "idempotency", "batch", "batch_item", "span", "caller",
)  # fmt: skip
KEEP = 10 * DAY
HOUR = 3_600_000


async def rows(house: House, *tables: str) -> dict[str, int]:
    """How many rows each of these tables has, those with none left out."""
    store, found = house.store.inner, {}
    for table in tables or TABLES:
        sql = f"SELECT count(*) FROM {table}"
        if isinstance(store, PostgresStore):
            connection = await asyncpg.connect(store.database._place.dsn)
            count = await connection.fetchval(sql)
            await connection.close()
        else:
            count = await store.database._aside(lambda opened, sql=sql: opened.execute(sql).get)
        if count:
            found[table] = count
    return found


async def swept(house: House, ticks: int = 12) -> None:
    for _ in range(ticks):
        await house.engine.tick()
        await house.settle()


async def full_run(house: House, name: str, at: int = 0, batch: str = "batch_1") -> str:
    """An ended run with a row in every table."""
    shard, env = house.env.shard_id, house.env.env_id
    changes = Changes(house.clock.now())
    run_id = name
    changes.run = [
        (run_id, env, "work", "task/work", "", "", "1", None, "{}", None, None, 0, batch, 0, at)
    ]
    changes.done = [
        (run_id, env, "work", "task/work", "completed", 1, 1, "2", None, None, at, at, 5)
    ]
    changes.tag = [(env, "a", run_id), (env, "b", run_id)]
    changes.mark = [(env, "region", "eu", run_id)]
    changes.caller = [(run_id, env, "4bf92f3577b34da6a3ce929d0e0e4736")]
    changes.metadata = [(run_id, "{}", at)]
    changes.journal = [(run_id, "k", 0, "step", 1, "ok", "1", at, at, n, None, "") for n in [1]]
    changes.input = [(run_id, "s", 1, "1", None, at)]
    changes.stream = [(run_id, "out", at)]
    changes.chunk = [(run_id, "out", n, "x", 1, None, None, at) for n in range(7)]
    changes.batch = [(batch, env, 1, 1, 0, None, None, None, at, at, at)]
    changes.batch_item = [(batch, 0, run_id, "work", None, None)]
    await house.store.shards.commit(shard, house.owner.epoch, changes)
    lines = [LogLine(run_id, at, "info", str(n)) for n in range(9)]
    await house.store.runs.append_logs(shard, lines)
    made = SpanRow(run_id, "0" * 15 + "1", "", "x", "internal", "", at + 1, at + 1)
    await house.store.runs.measuring.add_spans(shard, [made])
    return run_id


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces so small that everything takes several."""
    monkeypatch.setattr(retention, "PAGE", 2)
    monkeypatch.setattr(retention, "PIECE", 2)
    monkeypatch.setattr(retention, "LEVEL", 2)
    monkeypatch.setattr(past, "MOST", 3)


@pytest.mark.usefixtures("small")
async def test_a_run_goes_with_all_that_is_its_own(house: House) -> None:
    await full_run(house, "run_0000000000")
    assert len(await rows(house)) == len(TABLES) - 1  # it has no idempotency key
    await swept(house)
    assert len(await rows(house)) == len(TABLES) - 1  # nothing is deleted unless it is asked for
    house.engine.keep_ms = KEEP
    await swept(house)
    assert await rows(house) == {}


@pytest.mark.usefixtures("small")
async def test_runs_go_when_they_are_old_enough_and_lists_still_answer(house: House) -> None:
    worker = house.worker(WORK)
    house.engine.keep_ms = KEEP
    old = [await house.trigger() for _ in range(5)]
    await house.settle()
    worker.begin(*old)
    for run_id in old:
        worker.finish(run_id, 1)
    await house.settle()
    await house.advance(KEEP - 2 * retention.EVERY_MS)
    young = await house.trigger()
    await swept(house)
    assert len((await house.page()).runs) == 6
    await house.advance(4 * retention.EVERY_MS)
    await swept(house)
    assert [run.id for run in (await house.page()).runs] == [young]
    assert await house.differences() == []


@pytest.mark.usefixtures("small")
async def test_a_list_that_is_read_while_runs_go_neither_fails_nor_ends_early(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = house.worker(WORK)
    runs = [await house.trigger() for _ in range(6)]
    await house.settle()
    worker.begin(*runs)
    for run_id in runs:
        worker.finish(run_id, 1)
    await house.settle()
    store = house.store.inner.runs
    briefs, left = store.briefs, runs[1:5]

    async def later(shard_id: int, wanted: Sequence[str]) -> list[Run]:
        if left:  # between the ids of a page and its runs
            gone = [left.pop()]
            await house.store.past.forget(shard_id, house.owner.epoch, gone, [])
        return await briefs(shard_id, wanted)

    monkeypatch.setattr(store, "briefs", later)
    found, after = list[str](), None
    while True:
        page = await house.page(after=after, limit=2)
        found += [run.id for run in page.runs]
        after = page.next
        if after is None:
            break
    assert found == [runs[5], runs[0]]


@pytest.mark.usefixtures("small")
async def test_a_tree_stays_as_long_as_one_of_its_runs(house: House) -> None:
    house.engine.keep_ms = KEEP
    worker = house.worker(WORK)
    root = await house.trigger()
    await house.settle()
    worker.begin(root)
    asked = [request(), request(), request(delay_ms=3 * KEEP)]
    *ended, live = [one.run_id for one in await house.batch(asked, root)]
    await house.settle()
    worker.finish(root, 1)
    worker.begin(*ended)
    for run_id in ended:
        worker.finish(run_id, 1)
    await house.settle()
    await house.advance(KEEP + DAY)
    await swept(house)
    assert {run.id for run in (await house.page()).runs} == {root, *ended, live}
    await house.cancel(live)
    await house.advance(DAY)
    await swept(house)
    assert len((await house.page()).runs) == 4  # it has ended only now
    await house.advance(KEEP)
    await swept(house)
    assert (await house.page()).runs == []
    assert await rows(house) == {}


@pytest.mark.usefixtures("small")
async def test_a_key_in_force_keeps_its_run_and_goes_with_it(house: House) -> None:
    house.engine.keep_ms = KEEP
    worker = house.worker(WORK)
    options = {"idempotency_key": "k", "idempotency_ttl_ms": 2 * KEEP}
    run_id = await house.trigger(**options)
    await house.settle()
    worker.begin(run_id)
    worker.finish(run_id, 1)
    await house.settle()
    await house.advance(KEEP + DAY)
    await swept(house)
    assert await house.trigger(**options) == run_id
    await house.advance(KEEP)
    await swept(house)
    assert await rows(house) == {}


async def test_lines_and_spans_may_go_before_their_run(house: House) -> None:
    await full_run(house, "run_0000000000", house.clock.now())
    house.engine.keep_lines_ms = DAY
    await house.advance(DAY)
    await swept(house, 3)
    assert (await rows(house, "log", "span")) == {"log": 9, "span": 1}
    await house.advance(HOUR)
    await swept(house, 3)
    assert (await rows(house, "log", "span", "run")) == {"run": 1}


async def test_who_lost_the_shard_deletes_nothing(house: House) -> None:
    run_id = await full_run(house, "run_0000000000")
    shard_id, epoch = house.env.shard_id, house.owner.epoch
    with pytest.raises(FencedOut):
        await house.store.past.forget(shard_id, epoch - 1, [run_id], [])
    with pytest.raises(FencedOut):
        await house.store.past.forget_batches(shard_id, epoch - 1, ["batch_1"])
    with pytest.raises(FencedOut):
        await house.store.past.forget_lines(shard_id, epoch - 1, 1 << 60, 100)
    found = await rows(house)
    assert (found["run"], found["log"], found["batch_item"]) == (1, 9, 1)
