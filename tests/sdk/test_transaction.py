"""A run made inside the caller's own transaction exists when that one is committed."""

import os
import sys
import types
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
import pytest

from mainspring import InvalidOptions, MainspringError, task, tasks
from mainspring.ids import shard_of
from mainspring.model.run import TriggerOptions
from mainspring.store.postgres import PostgresStore
from tests.sdk.conftest import Recorder


@task
async def mail(n: int) -> None: ...


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the user's to a database in which the engine's schema is."""
    name = f"ms_sdk_{os.getpid()}"
    outside = await asyncpg.connect(postgres_url)
    await outside.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    store = PostgresStore(url)
    await store.open(migrate=True)
    await store.catalog.ensure_environment("dev")
    await store.close()
    inside = await asyncpg.connect(url)
    yield inside
    await inside.close()
    await outside.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await outside.close()


@pytest.mark.slow
async def test_a_commit_keeps_the_run_and_a_rollback_takes_it_back(
    engine: Recorder, connection: asyncpg.Connection
) -> None:
    inside = mail.with_options(connection=connection, tags="vip", idempotency_key="k")
    undone = connection.transaction()
    await undone.start()
    await inside.trigger(1)
    await undone.rollback()
    assert await connection.fetchval("SELECT count(*) FROM inbox") == 0
    async with connection.transaction():
        handle = await inside.trigger(2)
        batch = await mail.with_options(connection=connection).batch_trigger([mail.call(3)])
    rows = await connection.fetch("SELECT * FROM inbox ORDER BY created_at, payload")
    assert [(row["run_id"], row["task"], row["payload"]) for row in rows] == [
        (handle.id, "mail", '{"n":2}'),
        (batch[0].id, "mail", '{"n":3}'),
    ]
    options = msgspec.json.decode(rows[0]["options"], type=TriggerOptions)
    assert (options.tags, options.idempotency_shown) == (("vip",), "k")
    assert shard_of(handle.id) == rows[0]["shard_id"]
    assert engine.asked == []


class Cursor:
    """What psycopg and other DB-API drivers give, as a fake of the outside."""

    def __init__(self, log: list[Any], row: Any) -> None:
        self.log, self.row = log, row

    def execute(self, statement: str, values: tuple[str, ...]) -> None:
        self.log.append((statement, values))

    def fetchone(self) -> Any:
        return self.row

    def close(self) -> None:
        self.log.append("closed")


class AsyncCursor(Cursor):
    async def execute(self, statement: str, values: tuple[str, ...]) -> None:  # type: ignore
        super().execute(statement, values)

    async def fetchone(self) -> Any:
        return super().fetchone()

    async def close(self) -> None:  # type: ignore
        super().close()


class Driver:
    def __init__(self, kind: type[Cursor], row: Any = ("run_7",)) -> None:
        self.kind, self.row = kind, row
        self.log: list[Any] = []

    def cursor(self) -> Cursor:
        return self.kind(self.log, self.row)


SENT = (
    "SELECT mainspring_trigger(%s, %s, %s, %s)",
    ("dev", "mail", '{"n":1}', '{"checked":true}'),
)


@pytest.mark.parametrize("kind", [Cursor, AsyncCursor])
@pytest.mark.parametrize("row", [("run_7",), {"mainspring_trigger": "run_7"}])
async def test_db_api_connections_are_used_in_both_forms(
    engine: Recorder, kind: type[Cursor], row: Any
) -> None:
    driver = Driver(kind, row)
    assert (await mail.with_options(connection=driver).trigger(1)).id == "run_7"
    assert driver.log == [SENT, "closed"]


def test_blocking_code_uses_a_blocking_connection_in_its_own_thread(engine: Recorder) -> None:
    driver = Driver(Cursor)
    configured = mail.with_options(connection=driver)
    assert configured.trigger_sync(1).id == "run_7"
    assert len(configured.batch_trigger_sync([mail.call(1), mail.call(1)])) == 2
    assert driver.log == [SENT, "closed"] * 3


def test_blocking_code_cannot_use_an_async_connection(engine: Recorder) -> None:
    driver = Driver(AsyncCursor)
    with pytest.raises(InvalidOptions, match="`trigger_sync` cannot use an async connection"):
        mail.with_options(connection=driver).trigger_sync(1)
    assert driver.log == []


@pytest.mark.parametrize("blocking", [True, False])
async def test_sqlalchemy_connections_and_sessions_are_used_through_its_text(
    engine: Recorder, monkeypatch: pytest.MonkeyPatch, blocking: bool
) -> None:
    library = types.ModuleType("sqlalchemy")
    library.text = lambda statement: ("text", statement)  # type: ignore
    monkeypatch.setitem(sys.modules, "sqlalchemy", library)
    sent: list[Any] = []

    class Session:
        def scalar(self, statement: Any, values: dict[str, str]) -> Any:
            sent.append((statement, values))

            async def answer() -> str:
                return "run_9"

            return "run_9" if blocking else answer()

    configured = mail.with_options(connection=Session())
    assert (await configured.trigger(1)).id == "run_9"
    if blocking:
        assert configured.trigger_sync(1).id == "run_9"
    assert sent[0] == (
        ("text", "SELECT mainspring_trigger(:environment, :task, :payload, :options)"),
        {"environment": "dev", "task": "mail", "payload": '{"n":1}', "options": SENT[1][3]},
    )


async def test_something_else_is_no_connection(engine: Recorder) -> None:
    with pytest.raises(InvalidOptions, match="a str is not a PostgreSQL connection"):
        await mail.with_options(connection="postgresql://x").trigger(1)


async def test_a_database_without_the_function_of_this_version_is_named(engine: Recorder) -> None:
    with pytest.raises(MainspringError, match=r"answered None.*db migrate"):
        await mail.with_options(connection=Driver(Cursor, (None,))).trigger(1)


async def test_a_batch_uses_one_connection(engine: Recorder) -> None:
    one, two = Driver(Cursor), Driver(Cursor)
    calls = [mail.with_options(connection=c).call(1) for c in (one, two)]
    with pytest.raises(InvalidOptions, match="different connections"):
        await tasks.batch(calls)
    assert (one.log, two.log) == ([], [])
