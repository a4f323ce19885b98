"""Migrations and the catalog of tables, on both databases."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import apsw
import asyncpg
import pytest

from mainspring.errors import SchemaMismatch
from mainspring.ids import shard_of, time_of
from mainspring.store import migrations
from mainspring.store.dialect import POSTGRES, SQLITE
from mainspring.store.migrations import Applied, Migration
from mainspring.store.postgres import PostgresStore
from mainspring.store.sqlite import SqliteStore
from mainspring.testing.store_journals import entry
from mainspring.testing.store_rows import Shard
from tests.store.conftest import execute

GLOBAL = {
    "server", "environment", "api_key", "task", "queue", "env_var", "schema_version", "audit",
    "server_secret", "signing_key", "token_use", "person", "person_role", "person_token",
    "person_password",
}  # fmt: skip
KEYS = """
SELECT c.relname, i.relname, array_agg(a.attname::text ORDER BY k.at)
FROM pg_index x
JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace s ON s.oid = c.relnamespace AND s.nspname = 'public'
CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k(number, at)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
GROUP BY 1, 2 ORDER BY 1, 2
"""
COLLATIONS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
"""


@pytest.fixture
async def bare_url(store_url: str) -> AsyncIterator[str]:
    """An empty database without tables."""
    name = f"ms_schema_{os.getpid()}"
    await execute(store_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield urlunsplit(urlsplit(store_url)._replace(path=f"/{name}"))
    await execute(store_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def test_every_key_and_index_of_run_data_begins_with_the_shard(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    found = await connection.fetch(KEYS)
    await connection.close()
    seen = {table for table, _index, _columns in found} - GLOBAL
    assert {"run", "ready", "active", "parked", "timer", "run_done", "journal"} <= seen
    for table, index, columns in found:
        assert table in GLOBAL or columns[0] == "shard_id", (table, index, columns)


async def test_texts_are_compared_by_their_bytes(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    assert await connection.fetch(COLLATIONS) == []
    await connection.close()


async def test_tables_of_sqlite_are_strict_and_keyed_by_the_shard(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert await SqliteStore(path).migrate() == [m.name for m in migrations.known(SQLITE)]
    connection = apsw.Connection(str(path))
    tables = connection.execute(
        "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
        "AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    assert all(strict for _name, strict in tables)
    for table, _strict in tables:
        for (index,) in connection.execute("SELECT name FROM pragma_index_list(?)", (table,)):
            [(first,)] = connection.execute(
                "SELECT name FROM pragma_index_info(?) WHERE seqno = 0", (index,)
            ).fetchall()
            assert table in GLOBAL or first == "shard_id", (table, index)
    connection.close()


async def test_both_databases_have_the_same_tables_and_columns(
    empty_url: str, tmp_path: Path
) -> None:
    await SqliteStore(tmp_path / "state.db").migrate()
    lite = apsw.Connection(str(tmp_path / "state.db"))
    sqlite = lite.execute(
        'SELECT t.name, c.name, c."notnull" FROM pragma_table_list t, '
        "pragma_table_info(t.name) c WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'"
    ).fetchall()
    lite.close()
    connection = await asyncpg.connect(empty_url)
    postgres = await connection.fetch(
        "SELECT table_name, column_name, CAST(is_nullable = 'NO' AS int) "
        "FROM information_schema.columns WHERE table_schema = 'public'"
    )
    await connection.close()
    assert sorted(sqlite) == sorted(tuple(row) for row in postgres)


async def test_migrating_twice_does_nothing(bare_url: str, tmp_path: Path) -> None:
    for store in (PostgresStore(bare_url), SqliteStore(tmp_path / "state.db")):
        assert await store.schema() == []
        names = await store.migrate()
        assert names[0] == "0001_pre_start"
        applied = await store.schema()
        assert await store.migrate() == []
        assert await store.schema() == applied
        assert [row.name for row in applied] == names


async def test_processes_that_migrate_at_once_wait_for_each_other(
    bare_url: str, tmp_path: Path
) -> None:
    for make in (lambda: PostgresStore(bare_url), lambda: SqliteStore(tmp_path / "state.db")):
        done = await asyncio.gather(*(make().migrate() for _ in range(4)))
        assert sorted(len(names) for names in done) == [0, 0, 0, len(migrations.known(SQLITE))]


async def test_a_database_without_our_tables_names_the_command(bare_url: str) -> None:
    with pytest.raises(SchemaMismatch, match="mainspring db migrate"):
        await PostgresStore(bare_url).open()


async def told(bare_url: str, path: Path, statement: str) -> None:
    """Execute the same in both databases."""
    await execute(bare_url, statement)
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    connection.close()


async def test_a_server_starts_beside_what_the_next_release_has_added_and_not_after_its_end(
    bare_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "state.db"
    stores: tuple[PostgresStore | SqliteStore, ...] = PostgresStore(bare_url), SqliteStore(path)
    for store in stores:
        await store.migrate()
    await told(bare_url, path, "INSERT INTO schema_version VALUES (9998, '9998_pre_next', 'x', 0)")
    for table in ("run", "ready", "active", "run_done", "journal"):
        await told(bare_url, path, f"ALTER TABLE {table} ADD COLUMN next INTEGER")
    for store in stores:
        for migrate in (True, False):
            await store.open(migrate=migrate)
            await store.close()
        await store.open(migrate=False)
        shard = await Shard.taken(store)
        changes, [done, ready] = shard.changes(), shard.ids(2)
        for run_id in (done, ready):
            shard.run(changes, run_id)
        shard.done(changes, done)
        shard.ready(changes, ready)
        entry(changes, done, "step")
        await shard.commit(changes)
        ends = await store.live.known(shard.shard_id, [done, ready])
        assert ends == {done: "completed", ready: ""}
        await store.close()
        assert await store.migrate() == []
    await told(bare_url, path, "INSERT INTO schema_version VALUES (9999, '9999_post_next', 'x', 0)")
    for store in stores:
        for migrate in (True, False):
            with pytest.raises(SchemaMismatch, match=r"9999_post_next.*Upgrade mainspring"):
                await store.open(migrate=migrate)


async def test_a_server_does_not_start_before_the_last_step_that_it_needs(
    bare_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "state.db"
    last = [one for one in migrations.known(SQLITE) if one.phase == "pre"][-1]
    for store in (PostgresStore(bare_url), SqliteStore(path)):
        await store.migrate()
    await told(bare_url, path, f"DELETE FROM schema_version WHERE number = {last.number}")
    for store in (PostgresStore(bare_url), SqliteStore(path)):
        with pytest.raises(SchemaMismatch, match=f"{last.name}.*mainspring db migrate"):
            await store.open(migrate=False)


def step(number: int, phase: str, checksum: str = "c") -> Migration:
    return Migration(number, phase, f"{number:04d}_{phase}_x", checksum, "")


def had(migration: Migration, checksum: str = "c") -> Applied:
    return Applied(migration.number, migration.name, checksum, 0)


def test_a_released_migration_never_changes() -> None:
    one = step(1, "pre")
    with pytest.raises(SchemaMismatch, match="another text"):
        migrations.pending([one], [had(one, "other")])


def test_phases_are_applied_apart() -> None:
    steps = [step(1, "pre"), step(2, "post"), step(3, "pre")]
    assert migrations.pending(steps, [had(steps[0])]) == steps[1:]
    assert migrations.pending(steps, [had(steps[0])], "pre") == [steps[2]]
    assert migrations.pending(steps, [had(steps[0])], "post") == [steps[1]]
    migrations.check(steps, [had(steps[0]), had(steps[2])])
    with pytest.raises(SchemaMismatch, match="0003_pre_x"):
        migrations.check(steps, [had(steps[0])])


async def test_the_script_for_people_does_what_migrate_does(bare_url: str, tmp_path: Path) -> None:
    await execute(bare_url, migrations.script(POSTGRES))
    path = tmp_path / "state.db"
    connection = apsw.Connection(str(path))
    connection.execute(migrations.script(SQLITE))
    connection.close()
    for store in (PostgresStore(bare_url), SqliteStore(path)):
        assert await store.migrate() == []
    assert "CREATE TABLE run" not in migrations.script(SQLITE, await SqliteStore(path).schema())


async def test_any_driver_triggers_inside_its_own_transaction(postgres: PostgresStore) -> None:
    env = await postgres.catalog.ensure_environment("dev")
    connection = await asyncpg.connect(postgres.database._place.dsn)
    before = await postgres.shards.now()
    async with connection.transaction():
        made = await connection.fetchval("SELECT mainspring_trigger('dev', 'mail', '{\"a\":1}')")
        assert await postgres.live.inbox(env.shard_id, 9) == []
    after = await postgres.shards.now()
    [row] = await postgres.live.inbox(env.shard_id, 9)
    assert (row.run_id, row.task, row.payload, row.options) == (made, "mail", '{"a":1}', "{}")
    assert shard_of(made) == env.shard_id
    assert before <= time_of(made) == row.created_at <= after
    ids = {await connection.fetchval("SELECT mainspring_trigger('dev', 't', '1')") for _ in "abc"}
    assert len(ids) == 3
    with pytest.raises(asyncpg.InvalidParameterValueError, match="no environment nowhere"):
        await connection.fetchval("SELECT mainspring_trigger('nowhere', 't', '1')")
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await connection.fetchval("SELECT mainspring_trigger('dev', 't', 'not json')")
    await connection.close()
