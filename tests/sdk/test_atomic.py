"""A step and the user's own rows are committed together, on each driver that is at hand."""

import asyncio
import functools
import os
import sqlite3
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import pytest

from mainspring import InvalidOptions, MainspringError, sync, transaction
from mainspring.errors import InvalidOutput
from mainspring.sdk.atomic import TABLE
from mainspring.sdk.drivers import settled
from mainspring.sdk.local import without_run
from mainspring.wire.worker import Entry
from tests.architecture.sources import ROOT
from tests.sdk.durable import Run, idle, ran


@dataclass
class Paid:
    amount: int
    who: str


class Database:
    """A database of the user's with one table, and a way to give connections to steps."""

    def __init__(self, connection: Any, look: Callable[[str], Any]) -> None:
        self.connection = connection
        self._look = look

    async def all(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await settled(self._look(statement))]

    @property
    def busy(self) -> bool:
        """Whether the step's transaction is still open, as far as it can be seen here."""
        return bool(getattr(self.connection, "in_transaction", False))

    async def payments(self) -> list[tuple[Any, ...]]:
        return await self.all("SELECT who, amount FROM payment ORDER BY who")

    async def kept(self) -> list[tuple[Any, ...]]:
        return await self.all("SELECT run_id, generation, key, result FROM mainspring_step")


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[Callable[..., Any]]:
    """Connects, or makes a pool, where there is nothing but an empty table of payments."""
    beside = await asyncpg.connect(postgres_url)
    schema = f"users_{os.getpid()}"
    await beside.execute(f"CREATE SCHEMA {schema}; SET search_path TO {schema}; {CREATE}")

    async def connect(form: Any = asyncpg.connect, **options: Any) -> Any:
        return await form(postgres_url, server_settings={"search_path": schema}, **options)

    yield connect
    await beside.execute(f"DROP SCHEMA {schema} CASCADE")
    await beside.close()


CREATE = "CREATE TABLE payment (who text, amount integer)"


@pytest.fixture(params=["asyncpg", "pool", "sqlite3", "apsw"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Callable[..., Any]
) -> AsyncIterator[Database]:
    if request.param == "sqlite3":
        lite = sqlite3.connect(tmp_path / "users.db")
        lite.execute(CREATE)
        yield Database(lite, lambda statement: lite.execute(statement).fetchall())
        lite.close()
    elif request.param == "apsw":
        other = apsw.Connection(str(tmp_path / "users.db"))
        other.execute(CREATE)
        yield Database(other, lambda statement: other.execute(statement).fetchall())
        other.close()
    else:
        beside = await postgres()
        if request.param == "asyncpg":
            connection = await postgres()
        else:
            connection = await postgres(asyncpg.create_pool, min_size=1)
        yield Database(connection, beside.fetch)
        await connection.close()
        await beside.close()


async def pay(connection: Any, who: str, amount: int) -> Paid:
    statement = f"INSERT INTO payment VALUES ('{who}', {amount})"
    await settled(connection.execute(statement))
    return Paid(amount, who)


async def test_the_rows_and_the_result_are_there_together(database: Database) -> None:
    async def body() -> Paid:
        return await transaction(database.connection, "pay", pay, "ann", amount=5)

    result, entries = await ran(body)
    assert result == Paid(5, "ann")
    assert [(entry.key, entry.data) for entry in entries] == [("pay", '{"amount":5,"who":"ann"}')]
    assert await database.payments() == [("ann", 5)]
    assert await database.kept() == [("run_a", 0, "pay", '{"amount":5,"who":"ann"}')]
    assert (await ran(body, entries))[0] == result
    assert await database.payments() == [("ann", 5)]


async def test_a_worker_that_dies_after_the_commit_does_not_pay_twice(database: Database) -> None:
    async def body() -> Paid:
        return await transaction(database.connection, "pay", pay, "ann", 5)

    first = Run(body)
    first.port.lost = True
    while not await database.payments() or database.busy:
        await idle()
    assert await database.payments() == [("ann", 5)]
    entries: list[Entry] = await first.lose()
    assert entries == []
    assert (await ran(body, entries))[0] == Paid(5, "ann")
    assert await database.payments() == [("ann", 5)]
    assert [entry.key for entry in entries] == ["pay"]


async def test_an_error_takes_everything_back(database: Database) -> None:
    async def broken(connection: Any) -> None:
        await pay(connection, "ann", 5)
        raise ValueError("no money")

    async def unstorable(connection: Any) -> object:
        await pay(connection, "ann", 5)
        return object()

    async def unfit(connection: Any) -> int:
        await pay(connection, "ann", 5)
        return "five"  # type: ignore[return-value]

    async def body() -> Paid:
        with pytest.raises(ValueError, match="no money"):
            await transaction(database.connection, "broken", broken)
        for wrong in (unstorable, unfit):
            with pytest.raises(InvalidOutput):
                await transaction(database.connection, "wrong", wrong)
        return await transaction(database.connection, "pay", pay, "ann", 5)

    assert (await ran(body))[0] == Paid(5, "ann")
    assert await database.payments() == [("ann", 5)]
    assert [row[2] for row in await database.kept()] == ["pay"]


async def test_runs_generations_and_places_are_told_apart(database: Database) -> None:
    async def body() -> None:
        await transaction(database.connection, "pay", pay, "ann", 5)
        await transaction(database.connection, "pay", pay, "ann", 5)

    await ran(body)
    await ran(body, generation=1)
    await ran(body, run_id="run_b")
    assert len(await database.payments()) == 6
    assert sorted(row[:3] for row in await database.kept()) == [
        ("run_a", 0, "pay"), ("run_a", 0, "pay#1"),
        ("run_a", 1, "pay"), ("run_a", 1, "pay#1"),
        ("run_b", 0, "pay"), ("run_b", 0, "pay#1"),
    ]  # fmt: skip


async def test_a_transaction_of_the_users_is_left_alone(database: Database) -> None:
    connection = database.connection
    if isinstance(connection, asyncpg.Pool):
        connection = await connection.acquire()
    await settled(connection.execute("BEGIN"))
    await pay(connection, "ann", 5)

    async def body() -> None:
        await transaction(connection, "pay", pay, "bob", 6)

    with pytest.raises(InvalidOptions, match="a transaction is open"):
        await ran(body)
    await settled(connection.execute("COMMIT"))
    assert await database.payments() == [("ann", 5)]
    if connection is not database.connection:
        await database.connection.release(connection)


async def test_a_row_without_a_result_is_named(database: Database) -> None:
    async def body() -> None:
        await transaction(database.connection, "pay", pay, "ann", 5)

    await ran(body)
    connection = database.connection
    await settled(connection.execute("UPDATE mainspring_step SET result = NULL"))
    if isinstance(connection, sqlite3.Connection):
        connection.commit()
    with pytest.raises(MainspringError, match="'pay' of run run_a in mainspring_step has no"):
        await ran(body)


async def test_without_a_run_it_is_a_transaction_and_nothing_is_kept(database: Database) -> None:
    with without_run():
        paid = await transaction(database.connection, "pay", pay, "ann", 5)
    assert paid == Paid(5, "ann")
    assert await database.payments() == [("ann", 5)]


@pytest.mark.slow
async def test_of_two_attempts_at_once_one_waits_and_takes_the_others_result(
    postgres: Callable[..., Any],
) -> None:
    pool = await postgres(asyncpg.create_pool, min_size=3, max_size=3)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: Any) -> str:
        await pay(connection, "ann", 5)
        inside.set()
        await go_on.wait()
        return "first"

    async def fast(connection: Any) -> str:
        await pay(connection, "ann", 5)
        return "second"

    async def one() -> str:
        return await transaction(pool, "pay", slow)

    async def two() -> str:
        return await transaction(pool, "pay", fast)

    zombie = Run(one)
    await inside.wait()
    later = Run(two)
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while await pool.fetchval(blocked) == 0:
        pass
    go_on.set()
    assert [await zombie.task, await later.task] == ["first", "first"]
    assert await pool.fetchval("SELECT count(*) FROM payment") == 1
    await pool.close()


@pytest.mark.slow
async def test_many_make_the_table_at_once(postgres: Callable[..., Any]) -> None:
    pool = await postgres(asyncpg.create_pool, min_size=8, max_size=8)

    def body(number: int) -> Callable[[], Any]:
        async def one() -> Paid:
            return await transaction(pool, "pay", pay, f"p{number}", number)

        return one

    runs = [Run(body(number), run_id=f"run_{number}") for number in range(8)]
    await asyncio.gather(*(run.task for run in runs))
    assert await pool.fetchval("SELECT count(*) FROM mainspring_step") == 8
    await pool.close()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "users.db"
    connection = sqlite3.connect(path)
    connection.execute(CREATE)
    yield path
    connection.close()


async def test_blocking_code_has_its_own_form(lite: Path) -> None:
    def pay_now(connection: sqlite3.Connection, who: str) -> Paid:
        connection.execute("INSERT INTO payment VALUES (?, 5)", (who,))
        return Paid(5, who)

    def blocking() -> list[Paid]:
        connection = sqlite3.connect(lite)
        paid = [sync.transaction(connection, "pay", pay_now, who) for who in ("ann", "bob")]
        assert len(connection.execute("SELECT * FROM payment").fetchall()) == 2
        connection.close()
        return paid

    async def body() -> list[Paid]:
        return await asyncio.to_thread(blocking)

    result, entries = await ran(body)
    assert result == [Paid(5, "ann"), Paid(5, "bob")]
    assert (await ran(body, entries))[0] == result
    assert (await ran(body))[0] == result  # as if the journal had been lost on the way


async def test_blocking_code_refuses_what_must_be_awaited(lite: Path) -> None:
    class Later(sqlite3.Connection):
        async def execute(self, *given: Any) -> Any:  # type: ignore[override]
            await asyncio.sleep(0)

    def blocking() -> None:
        with pytest.raises(InvalidOptions, match="cannot be called by blocking code"):
            sync.transaction(None, "pay", pay, "ann", 5)
        connection = sqlite3.connect(lite, factory=Later)
        with pytest.raises(InvalidOptions, match="cannot use an async connection"):
            sync.transaction(connection, "pay", lambda connection: None)
        connection.close()

    async def body() -> None:
        await asyncio.to_thread(blocking)

    await ran(body)


class Psycopg:
    """A connection of psycopg, as a fake of the outside over SQLite."""

    __module__ = "psycopg.connection"

    def __init__(self, path: Path, *, autocommit: bool) -> None:
        self.lite = sqlite3.connect(path, isolation_level=None)
        self.lite.create_function("pg_advisory_xact_lock", 1, lambda number: "")
        self.lite.create_function("to_regclass", 1, lambda name: None)
        self.autocommit = autocommit
        self.log: list[str] = []

    @property
    def info(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(transaction_status=2 * self.lite.in_transaction)

    async def execute(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        self.log.append(statement)
        if not self.autocommit and not self.lite.in_transaction:
            self.lite.execute("BEGIN")
        cursor = self.lite.execute(statement.replace("%s", "?"), values)
        fetchall = functools.partial(asyncio.sleep, 0, cursor.fetchall())
        return types.SimpleNamespace(description=cursor.description, fetchall=fetchall)

    async def commit(self) -> None:
        self.log.append("commit")
        self.lite.commit()

    async def rollback(self) -> None:
        self.log.append("rollback")
        self.lite.rollback()


class Pool:
    __module__ = "psycopg_pool.pool_async"

    def __init__(self, connection: Psycopg) -> None:
        self.connection = connection

    async def getconn(self) -> Psycopg:
        self.connection.log.append("getconn")
        return self.connection

    async def putconn(self, connection: Psycopg) -> None:
        connection.log.append("putconn")


@pytest.mark.parametrize("autocommit", [True, False])
async def test_psycopg_begins_by_itself_unless_told_not_to(lite: Path, autocommit: bool) -> None:
    connection = Psycopg(lite, autocommit=autocommit)

    async def body() -> Paid:
        await transaction(Pool(connection), "first", pay, "ann", 5)
        connection.log.clear()
        return await transaction(Pool(connection), "pay", pay, "bob", 6)

    assert (await ran(body))[0] == Paid(6, "bob")
    assert connection.log == [
        "getconn",
        *(["BEGIN"] if autocommit else []),
        "INSERT INTO mainspring_step (run_id, generation, key) VALUES (%s, %s, %s) "
        "ON CONFLICT DO NOTHING RETURNING 1",
        "INSERT INTO payment VALUES ('bob', 6)",
        "UPDATE mainspring_step SET result = %s WHERE run_id = %s AND generation = %s AND key = %s",
        "commit",
        "putconn",
    ]
    connection.lite.close()


class Alchemy:
    """A connection of SQLAlchemy, as a fake of the outside over SQLite."""

    __module__ = "sqlalchemy.engine.base"

    def __init__(self, path: Path, dialect: str = "sqlite", level: str = "") -> None:
        self.lite = sqlite3.connect(path, isolation_level=None)
        self.dialect = types.SimpleNamespace(name=dialect)
        self.level = level

    def get_execution_options(self) -> dict[str, str]:
        return {"isolation_level": self.level}

    def in_transaction(self) -> bool:
        return self.lite.in_transaction

    def execute(self, statement: str, named: Any = ()) -> Any:
        if not self.lite.in_transaction:
            self.lite.execute("BEGIN")
        cursor = self.lite.execute(statement, named)
        rows = cursor.fetchall()
        return types.SimpleNamespace(returns_rows=bool(cursor.description), fetchall=lambda: rows)

    def commit(self) -> None:
        self.lite.commit()

    def rollback(self) -> None:
        self.lite.rollback()


async def test_sqlalchemy_is_spoken_to_in_its_own_text(
    lite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = types.ModuleType("sqlalchemy")
    library.text = lambda statement: statement  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sqlalchemy", library)
    connection = Alchemy(lite)

    async def body() -> Paid:
        await transaction(connection, "pay", pay, "ann", 5)
        return await transaction(connection, "pay", pay, "bob", 6)

    assert (await ran(body))[0] == Paid(6, "bob")
    assert (await ran(body))[0] == Paid(6, "bob")
    assert connection.lite.execute("SELECT who FROM payment").fetchall() == [("ann",), ("bob",)]
    connection.lite.close()
    for refused, why in (
        (Alchemy(lite, "mysql"), "on PostgreSQL and SQLite, not on mysql"),
        (Alchemy(lite, level="AUTOCOMMIT"), "isolation level is AUTOCOMMIT"),
    ):
        connection = refused
        with pytest.raises(InvalidOptions, match=why):
            await ran(body)
        refused.lite.close()


async def test_a_connection_that_is_always_in_a_transaction_is_refused() -> None:
    class Always:
        __module__ = "sqlite3"
        autocommit = False

    async def body() -> None:
        await transaction(Always(), "pay", pay, "ann", 5)

    with pytest.raises(InvalidOptions, match="autocommit=False"):
        await ran(body)


def test_the_guide_shows_the_table_as_it_is_made() -> None:
    assert f"{TABLE};" in (ROOT / "docs" / "guides" / "transactions.md").read_text()


async def test_something_else_is_no_connection() -> None:
    async def body() -> None:
        await transaction("postgresql://x", "pay", pay, "ann", 5)

    with pytest.raises(InvalidOptions, match="a str is not known here"):
        await ran(body)
