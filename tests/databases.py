"""Databases that one test has for itself."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from mainspring.app.stores import locate, migrate

KEPT = "schema_version"
LARGE = 24 * 1024
"""Bytes of a table that is cut off rather than that its rows are deleted: nobody vacuums between
tests, and what is left of rows of earlier tests would be read by each later one.
"""
LOCK_S = 2
"""So long a table waits for whoever holds it before its rows are deleted after all."""
TABLES = """
    SELECT coalesce(array_agg(CAST(relname AS text)), '{}') FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = CAST('public' AS regnamespace)
"""

TEMPLATE = "_template"
"""Behind the name of a database: the one beside it that others are copies of."""

HAS_CITUS = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
EMPTY_NODES = """
    SELECT run_command_on_all_nodes($all$ DO $$ DECLARE t text; BEGIN
      SET LOCAL citus.enable_manual_changes_to_shards = on;
      FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_[0-9]{6,}$'
               AND relnamespace = CAST('public' AS regnamespace) AND pg_relation_size(oid) > 0
               AND relname !~ '^schema_version' LOOP
        EXECUTE format('DELETE FROM %I', t);
      END LOOP;
    END $$ $all$)
"""
"""The same on a Citus cluster, where it would take seconds to ask each table as a whole."""


class Cleaner:
    """Deletes all rows of databases, much faster than a database for each test would be made.

    Its connections stay open between tests, in a loop of their own: to make them takes longer than
    most tests.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cleaner", daemon=True)
        self._thread.start()
        self._connections: dict[str, asyncpg.Connection] = {}

    def empty(self, url: str) -> str:
        """Migrate that database when it is new, and delete its rows; the URL."""
        asyncio.run_coroutine_threadsafe(self._empty(url), self._loop).result()
        return url

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _empty(self, url: str) -> None:
        connection = self._connections.get(url)
        try:
            if connection is None or connection.is_closed():
                connection = self._connections[url] = await asyncpg.connect(url)
            tables = await connection.fetchval(TABLES)
        except asyncpg.PostgresConnectionError:  # a test has ended everybody's connections
            connection = self._connections[url] = await asyncpg.connect(url)
            tables = await connection.fetchval(TABLES)
        if KEPT not in tables:  # it is new, or some test has dropped its tables
            await migrate(locate(url))
            tables = await connection.fetchval(TABLES)
        if await connection.fetchval(HAS_CITUS):
            await connection.execute(EMPTY_NODES)
        else:
            await _delete(connection, sorted(set(tables) - {KEPT}))

    async def _close(self) -> None:
        for connection in self._connections.values():
            await connection.close()


async def _delete(connection: asyncpg.Connection, tables: list[str]) -> None:
    """Delete all rows of these tables."""
    # One statement, the same each time, so that it is planned once.
    found = await connection.fetch(
        " UNION ALL ".join(
            f"SELECT '{table}', pg_relation_size('\"{table}\"') > {LARGE} "
            f"WHERE pg_relation_size('\"{table}\"') > {LARGE} "
            f'OR EXISTS (SELECT 1 FROM "{table}")'
            for table in tables
        )
    )
    large = [f'"{table}"' for table, is_large in found if is_large]
    filled = [f'"{table}"' for table, is_large in found if not is_large]
    if large:
        try:
            await connection.execute(
                f"SET lock_timeout = '{LOCK_S}s'; TRUNCATE {', '.join(large)}; RESET lock_timeout"
            )
        except asyncpg.LockNotAvailableError:
            await connection.execute("RESET lock_timeout")
            filled += large
    if filled:
        await connection.execute("; ".join(f"DELETE FROM {table}" for table in filled))


def create(beside: str, name: str, template: str = "template0") -> str:
    """Make a database on the server of that one; its URL. `drop` it at the end."""
    asyncio.run(_execute(beside, f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return urlunsplit(urlsplit(beside)._replace(path=f"/{name}"))


def drop(beside: str, name: str) -> None:
    """Drop a database, whoever is in it."""
    asyncio.run(_execute(beside, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@contextlib.contextmanager
def fresh_database(postgres_url: str, name: str, *, migrated: bool = True) -> Iterator[str]:
    """A database beside that one, named after it; dropped at the end."""
    own = urlsplit(postgres_url).path[1:]
    template = _migrated(postgres_url, own + TEMPLATE) if migrated else "template0"
    url = create(postgres_url, f"{own}_{name}", template)
    try:
        yield url
    finally:
        drop(postgres_url, f"{own}_{name}")


@functools.cache
def _migrated(beside: str, name: str) -> str:
    """A migrated database to copy, which takes a fifth of the time; dropped with that one."""
    asyncio.run(migrate(locate(create(beside, name))))
    return name


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
