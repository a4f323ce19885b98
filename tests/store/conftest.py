"""A store on each database, empty at the start of every test."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from mainspring.store.postgres import PostgresStore
from mainspring.store.sqlite import SqliteStore
from tests.databases import Cleaner, fresh_database
from tests.sessions import NAME

pytest.register_assert_rewrite("mainspring.testing.store_access")
pytest.register_assert_rewrite("mainspring.testing.store_changes")
pytest.register_assert_rewrite("mainspring.testing.store_aside")
pytest.register_assert_rewrite("mainspring.testing.store_contract")
pytest.register_assert_rewrite("mainspring.testing.store_reads")
pytest.register_assert_rewrite("mainspring.testing.store_operations")
pytest.register_assert_rewrite("mainspring.testing.store_journals")
pytest.register_assert_rewrite("mainspring.testing.store_objects")
pytest.register_assert_rewrite("mainspring.testing.store_variables")


CITUS = os.environ.get("MAINSPRING_TEST_CITUS", "")
"""The coordinator of a Citus cluster: with it, the contract of a store is kept there, too."""


@pytest.fixture(scope="session")
def store_url(postgres_url: str) -> Iterator[str]:
    """A migrated database of these tests alone."""
    with fresh_database(postgres_url, "store") as url:
        yield url


@pytest.fixture
def empty_url(store_url: str, cleaner: Cleaner) -> str:
    """The same database without rows."""
    return cleaner.empty(store_url)


@pytest.fixture
async def postgres(empty_url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(empty_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture(scope="session")
def citus_url() -> str:
    """A database of that cluster, with run data distributed."""

    async def distributed() -> None:
        store = PostgresStore(CITUS)
        await store.migrate()
        await store.database.distribute(8, apply=True)

    asyncio.run(distributed())
    return CITUS


@pytest.fixture(params=["memory", "file", "postgres", *(["citus"] if CITUS else [])])
def closed_store(
    request: pytest.FixtureRequest, tmp_path: Path, cleaner: Cleaner
) -> SqliteStore | PostgresStore:
    if request.param == "citus":
        return PostgresStore(cleaner.empty(request.getfixturevalue("citus_url")))
    if request.param == "postgres":
        request.getfixturevalue("kept_sessions")
        return PostgresStore(f"{request.getfixturevalue('empty_url')}?application_name={NAME}")
    path = ":memory:" if request.param == "memory" else tmp_path / "store.db"
    return SqliteStore(path, synchronous="normal")


@pytest.fixture
async def store(
    closed_store: SqliteStore | PostgresStore,
) -> AsyncIterator[SqliteStore | PostgresStore]:
    await closed_store.open()
    yield closed_store
    await closed_store.close()


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
