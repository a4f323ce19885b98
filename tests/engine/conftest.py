"""Every test of the engine runs on a database in memory, on one in a file, and on PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore
from tests.engine.house import House


@pytest.fixture(params=["memory", "file", "postgres"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes stores over one database, which is empty at the start of each test."""
    if request.param == "memory":
        return lambda: SqliteStore(":memory:")
    if request.param == "file":
        return lambda: SqliteStore(tmp_path / "state.db", synchronous="normal")
    url = request.getfixturevalue("empty_postgres")
    return lambda: PostgresStore(url)


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
