"""What retention deletes is in the archive before: nothing is lost, whatever breaks when."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from mainspring.engine import archiving, old_rows, retention
from mainspring.engine.archiving import name_of
from mainspring.errors import (
    ArchiveFailed,
    FencedOut,
    MainspringError,
    NotFound,
    RunArchived,
    StoreUnavailable,
)
from mainspring.model.run import RunError, Status
from mainspring.store import archives, past
from mainspring.store.archived import KINDS, TABLES
from mainspring.store.archives import ArchiveRow
from mainspring.store.changes import Changes
from mainspring.store.parquet import ParquetDepot
from mainspring.wire.worker import LogLine
from tests.engine.house import DAY, WORK, House
from tests.engine.test_retention import KEEP, full_run, rows, swept

Break = Callable[[str], None]


class BrokenDepot(ParquetDepot):
    """A real one that calls `at` before and after everything, which may raise."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.at: Break = lambda point: None

    async def write(self, table: str, name: str, parts: AsyncIterator[Any]) -> Any:
        self.at(f"before {table}")

        async def broken() -> AsyncIterator[Any]:
            async for part in parts:
                yield part
                self.at(f"within {table}")

        found = await super().write(table, name, broken())
        self.at(f"after {table}")
        return found

    async def remove(self, table: str, name: str) -> None:
        self.at(f"remove {table}")
        await super().remove(table, name)


class BrokenPast:
    """The real reader and deleter of what is old, which breaks in the same way."""

    def __init__(self, inner: past.Past) -> None:
        self.inner = inner
        self.at: Break = lambda point: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def forget(self, *arguments: Any) -> None:
        self.at("before forget")
        await self.inner.forget(*arguments)
        self.at("after forget")

    async def forget_batches(self, *arguments: Any) -> None:
        self.at("before forget_batches")
        await self.inner.forget_batches(*arguments)
        self.at("after forget_batches")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces so small that everything takes several."""
    for name in ("PAGE", "PIECE", "LEVEL"):
        monkeypatch.setattr(retention, name, 2)
    monkeypatch.setattr(retention, "MOST", 5)
    monkeypatch.setattr(past, "MOST", 3)
    monkeypatch.setattr(archives, "MOST", 3)
    monkeypatch.setattr(old_rows, "CHUNK", 3)
    monkeypatch.setattr(old_rows, "PAUSE_S", 0)
    monkeypatch.setattr(old_rows, "ITEMS", 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def depot(house: House, root: Path) -> BrokenDepot:
    house.engine.keep_ms = KEEP
    house.engine.depot = made = BrokenDepot(root)
    return made


def archived(root: Path, table: str) -> list[dict[str, Any]]:
    """Every row of a table in the archive."""
    found: list[dict[str, Any]] = []
    for file in sorted((root / table).glob("*.parquet")):
        found += parquet.read_table(file).to_pylist()
    return found


def ids(root: Path) -> Counter[str]:
    return Counter(row["run_id"] for row in archived(root, "run"))


async def ended(house: House, count: int, **options: Any) -> list[str]:
    """Runs that have just ended, one of them after a failure."""
    worker = house.worker(WORK)
    found = [await house.trigger({"n": n}, tags=("a", "b"), **options) for n in range(count)]
    await house.settle()
    worker.begin(*found)
    for run_id in found:
        worker.finish(run_id, 1)
    await house.settle()
    worker.drop()
    return found


async def listed(house: House, limit: int = 2) -> list[str]:
    """Every run of the list, page by page."""
    found, after = list[str](), None
    while True:
        page = await house.page(after=after, limit=limit)
        found += [run.id for run in page.runs]
        after = page.next
        if after is None:
            return found


async def old(house: House, ticks: int = 40) -> None:
    """Let all that has ended be old, and retention have its way."""
    await house.advance(KEEP + DAY)
    await swept(house, ticks)


@pytest.mark.usefixtures("small")
async def test_everything_that_is_deleted_is_archived_row_by_row(
    house: House, depot: BrokenDepot, root: Path
) -> None:
    run_id = await full_run(house, "run_0000000000")
    before = await rows(house)
    await swept(house, 20)
    assert await rows(house) == {}
    found = {table: len(archived(root, table)) for table in TABLES}
    assert found == {
        "run": before["run"],
        "step": before["journal"],
        "log": before["log"],
        "span": before["span"],
        "stream": before["stream_chunk"],
        "input": before["input"],
        "batch": before["batch"],
        "batch_item": before["batch_item"],
    }
    [run] = archived(root, "run")
    assert (run["run_id"], run["task"], run["status"]) == (run_id, "work", "completed")
    assert (run["tags"], run["streams"], run["metadata"]) == (["a", "b"], ["out"], "{}")
    assert (run["payload"], run["output"], run["environment"]) == ("1", "2", "dev")
    assert run["created_at"].timestamp() == run["finished_at"].timestamp() == 0
    assert [line["message"] for line in archived(root, "log")] == [str(n) for n in range(9)]
    assert [chunk["number"] for chunk in archived(root, "stream")] == list(range(7))
    assert archived(root, "input")[0]["data"] == "1"
    assert archived(root, "batch_item")[0]["run_id"] == run_id


def test_each_table_has_the_columns_that_are_documented(tmp_path: Path) -> None:
    from_kinds = [table for tables in KINDS.values() for table in tables]
    assert sorted(from_kinds) == sorted(TABLES)
    for table, columns in TABLES.items():
        names = [column.name for column in columns]
        assert len(names) == len(set(names)), table


@pytest.mark.usefixtures("small")
async def test_what_runs_said_is_in_the_archive_as_it_was_shown(
    house: House, depot: BrokenDepot, root: Path
) -> None:
    runs = [await house.run(run_id) for run_id in await ended(house, 7)]
    await old(house)
    found = {row["run_id"]: row for row in archived(root, "run")}
    assert set(found) == {run.id for run in runs}
    for run in runs:
        row = found[run.id]
        assert (row["payload"], row["output"], row["status"]) == (
            run.payload,
            run.output,
            run.status,
        )
        assert round(row["finished_at"].timestamp() * 1000) == run.finished_at
        assert tuple(row["tags"]) == run.tags
    assert len(list((root / "run").iterdir())) == 2  # five and two


@pytest.mark.usefixtures("small")
async def test_large_payloads_and_errors_are_in_it_as_well(
    house: House, depot: BrokenDepot, root: Path
) -> None:
    text = '"' + "x" * 200_000 + '"'
    ref = await house.objects.put(text)
    gone = "0" * 64
    env, shard = house.env.env_id, house.env.shard_id
    changes = Changes(1)
    error = msgspec.json.encode(RunError("no", "ValueError", "at x")).decode()
    for run_id, payload in (("run_1", ref), ("run_2", gone)):
        changes.run.append(
            (run_id, env, "work", "q", "", "", None, payload, "", None, None, 0, None, 0, 0)
        )
        changes.done.append((run_id, env, "work", "q", "failed", 1, 1, None, ref, error, 0, 0, 5))
    changes.journal = [("run_1", "k", 0, "step", 1, "ok", None, 0, 0, 1, ref, "f")]
    await house.store.shards.commit(shard, house.owner.epoch, changes)
    await swept(house, 20)
    one, two = archived(root, "run")
    assert (one["payload"], one["output"], one["error"]) == (text, text, error)
    assert two["payload"] is None
    assert archived(root, "step")[0]["data"] == text


@pytest.mark.usefixtures("small")
async def test_a_tree_is_archived_as_a_whole_and_lists_and_lookups_cross_the_boundary(
    house: House, depot: BrokenDepot
) -> None:
    before = await ended(house, 5)
    live = await house.trigger(delay_ms=3 * KEEP)
    await old(house)
    young = await house.trigger()
    assert await listed(house) == [young, live]
    assert await listed(house, 1) == [young, live]
    with pytest.raises(RunArchived) as found:
        await house.run(before[0])
    [row] = await house.store.past.archives.page(house.env.shard_id, "", 10)
    assert found.value.details == {"archive": name_of(row)}
    assert f"run/{name_of(row)}.parquet" in found.value.message
    assert found.value.status == 404
    with pytest.raises(NotFound) as missing:  # not of that time
        await house.run(house.owner.state.ids.new("run", house.clock.now(), house.env.shard_id))
    assert missing.value.code == "not_found"


@pytest.mark.usefixtures("small")
async def test_without_an_archive_a_run_of_that_time_is_said_to_be_deleted(house: House) -> None:
    house.engine.keep_ms = KEEP
    [run_id] = await ended(house, 1)
    await old(house)
    with pytest.raises(NotFound, match="deleted 10 days after their end"):
        await house.run(run_id)


@pytest.mark.usefixtures("small")
async def test_nothing_is_deleted_while_the_archive_fails_and_it_is_tried_again(
    house: House, depot: BrokenDepot, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = await ended(house, 4)
    stand_in_the_way(root)
    await old(house)
    assert await listed(house) == runs[::-1]
    assert house.owner.retention.archiving.failures == 1
    assert samples(house)["mainspring_archive_failing"] == 1
    assert "archives nothing and deletes nothing" in caplog.text
    assert str(root) in caplog.text
    await swept(house, 10)
    assert house.owner.retention.archiving.failures == 1  # not again and again
    await house.advance(archiving.AGAIN_MS)
    await swept(house, 10)
    assert house.owner.retention.archiving.failures == 2
    step_aside(root)
    await house.advance(archiving.AGAIN_MS)
    await swept(house, 20)
    assert ids(root) == Counter(runs)
    assert await listed(house) == []
    found = samples(house)
    assert (found["mainspring_archive_failing"], found["mainspring_archived_total"]) == (0, 4)
    assert found["mainspring_archived_bytes_total"] > 0


def stand_in_the_way(root: Path) -> None:
    root.write_text("a file where the folder should be")


def step_aside(root: Path) -> None:
    root.unlink()


def left_over(root: Path) -> list[Path]:
    """Files that were not finished."""
    return list(root.rglob("*.part"))


def samples(house: House) -> dict[str, float]:
    return {one.name: one.value for one in house.engine.figures(house.env)}


POINTS = [
    "before run",  # the list has it, no file is there
    "within run",
    "after run",
    "after log",
    "after input",  # every file is there, the list does not know
    "before forget",  # the list knows
    "after forget",
    "before batch",
    "after batch_item",
    "before forget_batches",
    "after forget_batches",
]


class Died(Exception):
    """The server has died here."""


def once(point: str, error: Exception) -> Break:
    """Raises when it comes to that point, the first time."""
    left = [point]

    def at(here: str) -> None:
        if here in left:
            left.clear()
            raise error

    return at


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("point", POINTS)
async def test_a_server_that_dies_at_any_point_leaves_every_row_once(
    house: House, depot: BrokenDepot, root: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"run_000000000{n}" for n in range(7)]
    for name in names:
        await full_run(house, name, batch=f"batch_of_{name}")
    broken = BrokenPast(house.store.inner.past)
    monkeypatch.setattr(house.store.inner, "past", broken)
    depot.at = broken.at = once(point, Died())
    await house.crash()  # the engine after it sees what breaks
    house.engine.keep_ms, house.engine.depot = KEEP, depot
    with suppress(Died):
        await swept(house, 40)
    assert ids(root) | Counter(await listed(house)) >= Counter(names)
    await house.crash()
    house.engine.keep_ms, house.engine.depot = KEEP, depot
    await swept(house, 60)
    assert await rows(house) == {}
    assert ids(root) == Counter(names)
    counts = Counter(row["run_id"] for row in archived(root, "log"))
    assert counts == Counter(dict.fromkeys(names, 9))
    batches = Counter(row["batch_id"] for row in archived(root, "batch"))
    assert batches == Counter(f"batch_of_{name}" for name in names)
    rows_ = await house.store.past.archives.page(house.env.shard_id, "", 100)
    assert {row.state for row in rows_} == {"dropped"}
    assert left_over(root) == []


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(6))
async def test_live_and_archived_runs_are_together_all_that_ever_were(
    house: House, depot: BrokenDepot, root: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    every: set[str] = set()
    broken = BrokenPast(house.store.inner.past)
    monkeypatch.setattr(house.store.inner, "past", broken)

    def at(point: str) -> None:
        if dice.random() < 0.05:
            raise dice.choice([StoreUnavailable, ArchiveFailed, FencedOut, Died])("no")

    depot.at = broken.at = at
    for _ in range(12):
        every.update(await ended(house, dice.randrange(4)))
        every.add(await house.trigger(delay_ms=dice.choice([DAY, 5 * KEEP])))
        house.clock.advance(dice.randrange(3 * DAY))
        for _ in range(25):
            with suppress(MainspringError, Died):
                await swept(house, 1)
        live = await listed(house)
        assert len(live) == len(set(live))
        assert set(live) | set(ids(root)) >= every
        if dice.random() < 0.4:
            await house.crash()
            house.engine.keep_ms, house.engine.depot = KEEP, depot
    depot.at = broken.at = lambda point: None
    for run_id in await listed(house):
        if not (await house.run(run_id)).status.is_final:
            await house.cancel(run_id)
    await old(house, 10)
    await house.advance(archiving.AGAIN_MS)
    await swept(house, 120)
    assert await listed(house) == []
    assert ids(root) == Counter(every)


async def test_an_owner_that_lost_the_shard_meanwhile_leaves_no_files(
    house: House, depot: BrokenDepot, root: Path
) -> None:
    await full_run(house, "run_0000000000")
    first = house.owner.retention.archiving
    first.depot = depot
    await house.take_over("server-2")
    first.begin(1, "runs", ["run_0000000000"])
    await first.idle()
    assert first.has_failed()
    assert left_over(root) == archived(root, "run") == []
    assert (await rows(house, "run")) == {"run": 1}


async def test_an_archive_that_was_moved_away_is_written_anew(
    house: House, depot: BrokenDepot, root: Path, tmp_path: Path
) -> None:
    await full_run(house, "run_0000000000")
    shard_id, epoch = house.env.shard_id, house.owner.epoch
    row = ArchiveRow(
        shard_id, "archive_1", "runs", "writing", "elsewhere", "run_0", "run_1", "[]", 1
    )
    await house.store.past.archives.add(epoch, row)
    await house.store.past.archives.written(epoch, row)
    await swept(house, 20)
    assert ids(root) == Counter({"run_0000000000": 1})
    assert await rows(house) == {}


async def test_archives_are_of_whole_days(house: House, depot: BrokenDepot, root: Path) -> None:
    runs = await ended(house, 3)
    since = house.clock.now() % DAY
    await house.advance(KEEP + DAY - since - retention.EVERY_MS)
    await swept(house, 5)
    assert len(await listed(house)) == 3
    await house.advance(2 * retention.EVERY_MS)
    await swept(house, 10)
    assert ids(root) == Counter(runs)


async def test_work_goes_on_while_the_archive_is_being_written(
    house: House, depot: BrokenDepot, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = await ended(house, 3)
    going = asyncio.Event()
    write = ParquetDepot.write

    async def slow(self: Any, table: str, name: str, parts: Any) -> Any:
        await going.wait()
        return await write(self, table, name, parts)

    monkeypatch.setattr(ParquetDepot, "write", slow)
    await house.advance(KEEP + DAY)
    worker = house.worker(WORK)
    for _ in range(10):
        await house.engine.tick()
        await house.breathe()
    assert house.owner.retention.archiving.is_busy
    run_id = await house.trigger()
    await house.owner.idle()
    worker.begin(run_id)
    worker.finish(run_id, 1)
    await house.owner.idle()
    assert (await house.run(run_id)).status is Status.COMPLETED
    assert await listed(house) == [run_id, *runs[::-1]]
    going.set()
    await swept(house, 10)
    assert await listed(house) == [run_id]
    assert ids(root) == Counter(runs)


async def test_a_batch_with_all_of_its_items_is_archived_once_its_runs_are_gone(
    house: House, depot: BrokenDepot, root: Path
) -> None:
    await full_run(house, "run_0000000000", house.clock.now())
    await house.store.runs.append_logs(
        house.env.shard_id, [LogLine("run_0000000000", 5, "info", "late")]
    )
    await old(house, 20)
    assert len(archived(root, "log")) == 10
    assert len(archived(root, "batch")) == len(archived(root, "batch_item")) == 1
