"""What the tests of whole systems share."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from mainspring.app.stores import locate, migrate


@pytest.fixture
def fresh_postgres_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database of this test alone."""
    name = f"{urlsplit(postgres_url).path[1:]}_{abs(hash(request.node.name)) % 10**8}"
    url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    asyncio.run(_execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE template0'))
    try:
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
