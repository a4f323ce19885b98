"""Databases that one test has for itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from mainspring.app.stores import locate, migrate


@contextlib.contextmanager
def fresh_database(postgres_url: str, name: str) -> Iterator[str]:
    """A migrated database beside that one, named after it; dropped at the end."""
    name = f"{urlsplit(postgres_url).path[1:]}_{name}"
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
