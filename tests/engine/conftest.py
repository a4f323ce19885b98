"""Every test of the engine runs on SQLite in memory and on PostgreSQL, some on a file as well."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType

import pytest

from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore
from tests.engine.house import House

FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
ON_FILES = {
    "test_ahead",
    "test_batches_machine",
    "test_bulk",
    "test_commits",
    "test_machine",
    "test_races",
    "test_rounds",
    "test_unused",
    "test_unused_at_random",
    "test_trigger",
    "test_waits_in_doubt",
}
"""Modules whose tests may meet what only the threads of a file bring; memory answers in place."""


MACHINES = {"test_batches_machine", "test_machine"}
"""Of these, random verbs on a file are for `./dev chaos`: on each change they go on memory and on
PostgreSQL, and the other modules' tests on a file.
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the databases of a test."""
    if "make_store" in metafunc.fixturenames:
        name = _name(metafunc.module)
        on_file = name in ON_FILES and (FULL or name not in MACHINES)
        kinds = ["memory", *(["file"] if on_file else []), "postgres"]
        metafunc.parametrize("make_store", kinds, indirect=True)


@pytest.fixture
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes stores over one database, which is empty at the start of each test.

    For machines it is empty for each store, which is one of their examples: else an engine would
    look after the shards of all those before it, too.
    """
    if request.param == "memory":
        return lambda: SqliteStore(":memory:")
    if request.param == "file":
        return lambda: SqliteStore(tmp_path / "state.db", synchronous="normal")
    url, empty = request.getfixturevalue("kept_postgres"), request.getfixturevalue("empty_postgres")
    if _name(request.module) not in MACHINES:
        return lambda: PostgresStore(url)
    cleaner = request.getfixturevalue("cleaner")

    def make() -> Store:
        cleaner.empty(empty)
        return PostgresStore(url)

    return make


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


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
