"""Every test of the engine runs on a database in memory, on one in a file, and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore
from tests.engine.house import House

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture(params=["memory", "file", "postgres"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes stores over one database, which is empty at the start of each test."""
    if request.param == "memory":
        return lambda: SqliteStore(":memory:")
    if request.param == "file":
        return lambda: SqliteStore(tmp_path / "state.db", synchronous="normal")
    url = request.getfixturevalue("postgres_url")
    asyncio.run(_empty(url))
    return lambda: PostgresStore(url)


async def _empty(url: str) -> None:
    """Delete every row; much faster than a database for each test."""
    store = PostgresStore(url)
    await store.open(migrate=True)
    await store.close()
    connection = await asyncpg.connect(url)
    try:
        names = [row[0] for row in await connection.fetch(TABLES)]
        kept = {"schema_version"}
        await connection.execute(
            ";".join(f'DELETE FROM "{name}"' for name in names if name not in kept)
        )
    finally:
        await connection.close()


@pytest.fixture
async def house(make_store: Callable[[], Store]) -> AsyncIterator[House]:
    """A running engine on an empty database."""
    store = make_store()
    await store.open()
    house = House(store)
    try:
        await house.start()
        yield house
        await house.stop()
    finally:
        await store.close()
