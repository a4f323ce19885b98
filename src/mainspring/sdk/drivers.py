"""How a step speaks to a database of the user's, driver by driver. Which SQL is not decided here.

Drivers are recognised by the packages that their classes come from, and none is imported. Blocking
drivers are called as they are, so every coroutine here ends at once with one of them.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from mainspring.errors import InvalidOptions

_PARAMETER: Final = re.compile(r"\$(\d)")


class Driver(Protocol):
    """A connection outside of a transaction, and then inside of one."""

    raw: Any
    """What the user's function gets."""
    sqlite: bool
    """Whether it leads to SQLite; else to PostgreSQL."""

    def busy(self) -> bool:
        """Whether a transaction is open that is not ours."""
        ...

    async def begin(self) -> None: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...
    async def first(self, statement: str, *values: Any) -> Any:
        """The first value of the first row, else None. Parameters are `$1`, `$2`, … in order."""
        ...


class Asyncpg:
    """A connection of asyncpg."""

    sqlite = False

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._transaction: Any = None

    def busy(self) -> bool:
        return bool(self.raw.is_in_transaction())

    async def begin(self) -> None:
        self._transaction = self.raw.transaction()
        await self._transaction.start()

    async def commit(self) -> None:
        await self._transaction.commit()

    async def rollback(self) -> None:
        await self._transaction.rollback()

    async def first(self, statement: str, *values: Any) -> Any:
        return await self.raw.fetchval(statement, *values)


class Psycopg:
    """A connection of psycopg 3, async or not."""

    sqlite = False

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def busy(self) -> bool:
        return bool(self.raw.info.transaction_status != 0)

    async def begin(self) -> None:
        if self.raw.autocommit:  # else its first statement begins one
            await settled(self.raw.execute("BEGIN"))

    async def commit(self) -> None:
        await settled(self.raw.commit())

    async def rollback(self) -> None:
        await settled(self.raw.rollback())

    async def first(self, statement: str, *values: Any) -> Any:
        cursor = await settled(self.raw.execute(_PARAMETER.sub("%s", statement), values))
        rows = await settled(cursor.fetchall()) if cursor.description is not None else []
        return _value(rows)


class Sqlite:
    """A connection of sqlite3, aiosqlite or apsw."""

    sqlite = True

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        if getattr(raw, "autocommit", None) is False:
            raise InvalidOptions(
                "connection: with autocommit=False a transaction is always open, and nothing tells "
                "what is in it; connect with autocommit=True or without the argument."
            )

    def busy(self) -> bool:
        return bool(self.raw.in_transaction)

    async def begin(self) -> None:
        await settled(self.raw.execute("BEGIN IMMEDIATE"))

    async def commit(self) -> None:
        await settled(self.raw.execute("COMMIT"))

    async def rollback(self) -> None:
        if self.raw.in_transaction:  # some errors have ended it already
            await settled(self.raw.execute("ROLLBACK"))

    async def first(self, statement: str, *values: Any) -> Any:
        cursor = await settled(self.raw.execute(_PARAMETER.sub("?", statement), values))
        rows = await settled(cursor.fetchall())
        await settled(cursor.close())
        return _value(rows)


class Sqlalchemy:
    """A connection or session of SQLAlchemy, async or not."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        bound = raw if hasattr(raw, "dialect") else raw.get_bind()
        name = bound.dialect.name
        if name not in ("sqlite", "postgresql"):
            raise InvalidOptions(
                f"connection: a transaction step works on PostgreSQL and SQLite, not on {name}."
            )
        self.sqlite = name == "sqlite"
        options: Any = getattr(bound, "get_execution_options", dict)()
        if options.get("isolation_level") == "AUTOCOMMIT":
            raise InvalidOptions(
                "connection: its isolation level is AUTOCOMMIT, so it has no transactions; pass "
                "one with another level."
            )

    def busy(self) -> bool:
        return bool(self.raw.in_transaction())

    async def begin(self) -> None:
        """Its first statement begins one."""

    async def commit(self) -> None:
        await settled(self.raw.commit())

    async def rollback(self) -> None:
        await settled(self.raw.rollback())

    async def first(self, statement: str, *values: Any) -> Any:
        text = sys.modules["sqlalchemy"].text(_PARAMETER.sub(r":p\1", statement))
        named = {f"p{number}": value for number, value in enumerate(values, 1)}
        result = await settled(self.raw.execute(text, named))
        return _value(result.fetchall()) if result.returns_rows else None


_DRIVERS: Final[dict[str, Callable[[Any], Driver]]] = {
    "asyncpg": Asyncpg,
    "psycopg": Psycopg,
    "sqlite3": Sqlite,
    "aiosqlite": Sqlite,
    "apsw": Sqlite,
    "sqlalchemy": Sqlalchemy,
}


@contextlib.asynccontextmanager
async def opened(connection: Any) -> AsyncIterator[Driver]:
    """The driver of a connection, or of one taken from a pool or engine for this time.

    Raises: InvalidOptions for anything else, and for a connection inside of a transaction.
    """
    packages = {cls.__module__.partition(".")[0] for cls in type(connection).__mro__}
    if "psycopg_pool" in packages:
        raw = await settled(connection.getconn())
        try:
            yield _idle(Psycopg(raw))
        finally:
            await settled(connection.putconn(raw))
    elif "asyncpg" in packages and hasattr(connection, "acquire"):
        raw = await connection.acquire()
        try:
            yield _idle(Asyncpg(raw))
        finally:
            await connection.release(raw)
    elif "sqlalchemy" in packages and hasattr(connection, "connect"):
        raw = await settled(connection.connect())
        try:
            yield _idle(Sqlalchemy(raw))
        finally:
            await settled(raw.close())
    else:
        made = next((_DRIVERS[name] for name in _DRIVERS if name in packages), None)
        if made is None:
            raise InvalidOptions(
                f"connection: a {type(connection).__qualname__} is not known here; pass a "
                "connection or pool of asyncpg, psycopg, SQLAlchemy, sqlite3, aiosqlite or apsw."
            )
        yield _idle(made(connection))


def _idle(driver: Driver) -> Driver:
    if driver.busy():
        raise InvalidOptions(
            "connection: a transaction is open on it, which the step would commit; commit it "
            "before, or pass a connection or pool without one."
        )
    return driver


async def settled(value: Any) -> Any:
    """What a call of a driver gave: awaited if it is of an async one."""
    return await value if inspect.isawaitable(value) else value


def _value(rows: Any) -> Any:
    """The first column of the first row, whatever rows are made of."""
    for row in rows:
        return next(iter(row.values())) if isinstance(row, dict) else row[0]
    return None
