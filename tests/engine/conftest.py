"""Every test of the engine runs on SQLite in memory and on PostgreSQL, some on a file as well."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore
from tests.engine.house import House

ON_FILES = {
    "test_ahead",
    "test_batches_machine",
    "test_bulk",
    "test_commits",
    "test_machine",
    "test_races",
    "test_rounds",
    "test_trigger",
    "test_waits_in_doubt",
}
"""Modules whose tests may meet what only the threads of a file bring; memory answers in place."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the databases of a test."""
    if "make_store" in metafunc.fixturenames:
        on_file = metafunc.module.__name__.rpartition(".")[2] in ON_FILES
        kinds = ["memory", *(["file"] if on_file else []), "postgres"]
        metafunc.parametrize("make_store", kinds, indirect=True)


@pytest.fixture
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes stores over one database, which is empty at the start of each test."""
    if request.param == "memory":
        return lambda: SqliteStore(":memory:")
    if request.param == "file":
        return lambda: SqliteStore(tmp_path / "state.db", synchronous="normal")
    url = request.getfixturevalue("kept_postgres")
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
