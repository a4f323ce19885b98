"""Databases that one test has for itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from mainspring.app.stores import locate, migrate

KEPT = ("schema_version",)
IS_NEW = "SELECT to_regclass('public.schema_version') IS NULL"
EMPTY = f"""
    DO $$ DECLARE t text; filled boolean; BEGIN
      FOR t IN SELECT tablename FROM pg_tables
               WHERE schemaname = 'public' AND tablename NOT IN {(*KEPT, "")!s} LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', t) INTO filled;
        IF filled THEN EXECUTE format('DELETE FROM %I', t); END IF;
      END LOOP;
    END $$
"""

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
            is_new = await connection.fetchval(IS_NEW)
        except asyncpg.PostgresConnectionError:  # a test has ended everybody's connections
            connection = self._connections[url] = await asyncpg.connect(url)
            is_new = await connection.fetchval(IS_NEW)
        if is_new:  # or some test has dropped its tables
            await migrate(locate(url))
        has_citus = await connection.fetchval(HAS_CITUS)
        await connection.execute(EMPTY_NODES if has_citus else EMPTY)

    async def _close(self) -> None:
        for connection in self._connections.values():
            await connection.close()


@contextlib.contextmanager
def fresh_database(postgres_url: str, name: str, *, migrated: bool = True) -> Iterator[str]:
    """A database beside that one, named after it; dropped at the end."""
    name = f"{urlsplit(postgres_url).path[1:]}_{name}"
    url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    asyncio.run(_execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE template0'))
    try:
        if migrated:
            asyncio.run(migrate(locate(url)))
        yield url
    finally:
        asyncio.run(_execute(postgres_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
