"""What only SQLite does: one owner per file, grouped writes, doubt after a failed sync."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from mainspring.errors import (
    CommitRejected,
    ConfigurationError,
    SchemaMismatch,
    StoreInUse,
    StoreUnavailable,
    UnknownOutcome,
)
from mainspring.model.run import RunFilter
from mainspring.store.protocol import InboxRow
from mainspring.store.sqlite import SqliteStore
from mainspring.store.writer import Job, Transactions
from mainspring.testing.store_rows import NOW, Shard

HOLD = """
import asyncio, sys
from mainspring.store.sqlite import SqliteStore

async def hold():
    await SqliteStore(sys.argv[1]).open()
    print("open", flush=True)
    await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def test_a_second_owner_is_told_who_has_the_file(path: Path) -> None:
    first, second = SqliteStore(path), SqliteStore(path)
    await first.open()
    with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


@pytest.mark.slow
def test_the_lock_of_a_killed_owner_is_free_at_once(path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"open\n"
    with pytest.raises(StoreInUse, match=f"process {owner.pid}"):
        asyncio.run(SqliteStore(path).open())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()

    async def take_over() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.close()

    asyncio.run(take_over())


def test_a_forked_child_neither_holds_the_lock_nor_uses_the_connection(path: Path) -> None:
    script = f"""
import asyncio, os, signal, sys
from mainspring.errors import StoreUnavailable
from mainspring.store.sqlite import SqliteStore

async def main():
    store = SqliteStore({str(path)!r})
    await store.open()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            coroutine = store.shards.owners()
            coroutine.send(None)
        except StoreUnavailable as error:
            os.write(write, b"refused" if "fork" in str(error) else b"?")
        signal.pause()  # lives on until it is killed
        os._exit(0)
    print(os.read(read, 9).decode(), flush=True)
    await store.close()
    again = SqliteStore({str(path)!r})
    await again.open()
    await again.close()
    print("again", flush=True)
    os.kill(child, 9)
    os.waitpid(child, 0)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["refused", "again"], done.stderr


async def test_another_process_may_read_and_leave_triggers(path: Path) -> None:
    owner, client = SqliteStore(path), SqliteStore(path, owner=False)
    await owner.open()
    shard = await Shard.taken(owner)
    [run_id] = await shard.queued(1)
    await client.open()
    row = InboxRow("i", shard.env_id, "r", "t", "1", "{}", NOW)
    await client.runs.trigger_later(shard.shard_id, row)
    assert [r.id for r in await client.runs.page(shard.shard_id, shard.env_id, RunFilter())] == [
        run_id
    ]
    assert await owner.live.inbox(shard.shard_id, 9) == [row]
    await client.close()
    await owner.close()


async def test_a_client_does_not_make_the_tables(path: Path) -> None:
    with pytest.raises(SchemaMismatch, match="mainspring db migrate"):
        await SqliteStore(path, owner=False).open()


@pytest.mark.parametrize("kind", ["text", "folder"])
def test_what_is_no_database_is_refused_by_name(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("not a database " * 500)
    else:
        path.mkdir()
    with pytest.raises(StoreUnavailable, match=r"state\.db"):
        asyncio.run(SqliteStore(path).open())


def test_synchronous_is_full_or_normal() -> None:
    with pytest.raises(ConfigurationError, match="'full' or 'normal'"):
        SqliteStore(":memory:", synchronous="off")


async def test_a_store_that_is_not_open_says_so() -> None:
    store = SqliteStore(":memory:")
    with pytest.raises(StoreUnavailable, match=r"open\(\) first"):
        await store.shards.owners()
    await store.open()
    await store.open()
    await store.close()
    await store.close()


async def test_what_is_acknowledged_is_there_after_opening_again(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    shard = await Shard.taken(store)
    ids = await shard.queued(3)
    await store.close()
    await store.open()
    assert len(await store.live.known(shard.shard_id, ids)) == 3
    assert await shard.take() == 2
    await store.close()


def jobs_of(
    works: list[Callable[[apsw.Connection], object]], shard: int | None = None
) -> list[Job]:
    return [Job(work, shard) for work in works]


async def test_a_failing_job_leaves_the_others_of_its_transaction_whole() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT")
    transactions = Transactions(lambda: connection, None)

    def insert(n: object) -> Callable[[apsw.Connection], object]:
        return lambda c: c.execute("INSERT INTO t VALUES (?)", (n,)) and n

    def refuse(c: apsw.Connection) -> object:
        insert(7)(c)
        raise CommitRejected("no")

    jobs = jobs_of([insert(1), refuse, insert("text"), insert(2)])
    transactions.run(jobs)
    assert [type(job.error) for job in jobs] == [
        type(None),
        CommitRejected,
        StoreUnavailable,
        type(None),
    ]
    assert [job.result for job in jobs if job.error is None] == [1, 2]
    assert connection.execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (2,)]
    connection.close()


class Failing(apsw.Connection):
    """A connection whose disk fails when it is to be synced."""

    def execute(self, statements: str, *args: object, **kwargs: object) -> apsw.Cursor:
        if statements == "COMMIT":
            raise apsw.IOError("disk I/O error")
        return super().execute(statements, *args, **kwargs)  # type: ignore[arg-type]


async def test_a_failed_commit_is_unknown_and_its_connection_is_dropped() -> None:
    made: list[apsw.Connection] = []

    def connect() -> apsw.Connection:
        made.append((apsw.Connection if made else Failing)(":memory:"))
        return made[-1]

    transactions = Transactions(connect, None)
    [fenced], [unfenced] = jobs_of([lambda _: 1], shard=3), jobs_of([lambda _: 2])
    transactions.run([fenced, unfenced])
    assert isinstance(fenced.error, UnknownOutcome)
    assert isinstance(unfenced.error, StoreUnavailable)
    [again] = jobs_of([lambda _: 3])
    transactions.run([again])
    assert (again.error, again.result, len(made)) == (None, 3, 2)
    made[1].close()


async def test_a_database_that_is_gone_is_unavailable_and_then_back() -> None:
    available = False

    def connect() -> apsw.Connection:
        if not available:
            raise apsw.CantOpenError("unable to open database file")
        return apsw.Connection(":memory:")

    transactions = Transactions(connect, None)
    [job] = jobs_of([lambda _: 1])
    transactions.run([job])
    assert isinstance(job.error, StoreUnavailable)
    available = True
    [job] = jobs_of([lambda _: 1])
    transactions.run([job])
    assert job.result == 1
    transactions.close()


async def test_writes_that_arrive_together_share_a_transaction(path: Path) -> None:
    """The first waits in its fault until all others are in the queue."""
    arrived, sizes = threading.Event(), []
    store = SqliteStore(path, faults=lambda point, _: point != "before" or arrived.wait(10))
    arrived.set()
    await store.open()
    shard = await Shard.taken(store)
    arrived.clear()
    transactions = store.database._transactions
    run, transactions.run = transactions.run, lambda jobs: (sizes.append(len(jobs)), run(jobs))
    writes = [asyncio.ensure_future(shard.commit(shard.changes()))]
    writes += [asyncio.ensure_future(store.shards.register(f"s{at}", "a")) for at in range(20)]
    await asyncio.sleep(0)
    arrived.set()
    await asyncio.gather(*writes)
    assert sum(sizes) == 21
    assert len(sizes) <= 2
    assert len(await store.shards.beats()) == 20
    await store.close()


async def test_an_injected_fault_reaches_the_caller_and_writes_nothing() -> None:
    raise_at = ""

    def fault(point: str, _shard: int) -> None:
        if point == raise_at:
            raise RuntimeError(point)

    store = SqliteStore(":memory:", faults=fault)
    await store.open()
    shard = await Shard.taken(store)
    [run_id], changes = shard.ids(1), shard.changes()
    shard.run(changes, run_id)
    for raise_at, known in (("before", {}), ("inside", {}), ("after", {run_id: ""})):
        with pytest.raises(RuntimeError, match=raise_at):
            await shard.commit(changes)
        assert await store.live.known(shard.shard_id, [run_id]) == known
    raise_at = ""
    await shard.commit(shard.changes())
    await store.close()


async def test_a_store_in_memory_runs_in_place_without_a_thread() -> None:
    before = threading.active_count()
    store = SqliteStore(":memory:")
    await store.open()
    await (await Shard.taken(store)).queued(1)
    assert threading.active_count() == before
    await store.close()


async def test_a_statement_is_prepared_once_whatever_it_is_given() -> None:
    store = SqliteStore(":memory:")
    await store.open()
    connection, asked = store.database._transactions.connection, list[int]()
    assert connection is not None

    def seen(action: int, *_: object) -> int:
        asked.append(action)
        return apsw.SQLITE_OK

    connection.authorizer = seen  # asked for permission whenever a statement is prepared
    await store.live.locate(1, ["run_a"])
    prepared = len(asked)
    await store.live.locate(2, ["run_b"])
    assert 0 < prepared == len(asked)
    await store.close()


async def test_rarely_used_statements_stay_prepared_among_many_executions() -> None:
    store = SqliteStore(":memory:")
    await store.open()
    connection = store.database._transactions.connection
    assert connection is not None
    await store.live.locate(1, ["run_a"])
    await store.live.active(1)
    misses = connection.cache_stats()["misses"]
    for _ in range(400):
        await store.live.active(1)
    await store.live.locate(1, ["run_a"])
    assert connection.cache_stats()["misses"] == misses
    await store.close()
