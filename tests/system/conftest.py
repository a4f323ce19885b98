"""What the tests of whole systems share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mainspring.sdk.http import HttpTransport
from tests.databases import fresh_database
from tests.system import cluster as clusters
from tests.system.cluster import Cluster


@pytest.fixture
def fresh_postgres_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database of this test alone."""
    with fresh_database(postgres_url, str(abs(hash(request.node.name)) % 10**8)) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the servers of a test keep everything."""
    if request.param == "sqlite":
        return str(tmp_path / "state.db")
    url: str = request.getfixturevalue("fresh_postgres_url")
    return url


@pytest.fixture
def cluster(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[Cluster]:
    """A database and nothing that runs yet; the tasks are those that the module names."""
    tasks = getattr(request.module, "TASKS", clusters.TASKS)
    cluster = Cluster(tmp_path, database, tasks=tasks)
    try:
        yield cluster
    finally:
        cluster.abandon()


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[HttpTransport]:
    client = cluster.client()
    yield client
    await client.close()
