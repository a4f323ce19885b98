"""`mainspring db` on both databases: what it prints, what it refuses, what it leaves alone."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import asyncpg
import pytest
from click.testing import CliRunner, Result

from mainspring.cli.main import root


def run(*arguments: str) -> Result:
    return CliRunner().invoke(root, ["db", *arguments])


def execute(url: str, statement: str) -> None:
    async def connected() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(connected())


@contextmanager
def emptied(url: str) -> Iterator[None]:
    """A PostgreSQL database without anything in it, before and after."""
    execute(url, "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    try:
        yield
    finally:
        execute(url, "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "state.db")
    else:
        with emptied(postgres_url):
            yield postgres_url


def write(database: str, statement: str) -> None:
    if "://" in database:
        execute(database, statement)
        return
    connection = apsw.Connection(database)
    connection.execute(statement)
    connection.close()


def test_migrate_brings_an_empty_database_to_this_release(database: str) -> None:
    before = run("status", "--database", database)
    assert before.exit_code == 1
    assert json.loads(before.stdout.splitlines()[0])["appliedAt"] is None
    assert "applied 0001" in run("migrate", "--database", database).stdout
    after = run("status", "--database", database)
    assert after.exit_code == 0
    assert all(json.loads(line)["appliedAt"] for line in after.stdout.splitlines())


def test_migrate_twice_does_nothing(database: str) -> None:
    run("migrate", "--database", database)
    result = run("migrate", "--database", database)
    assert result.exit_code == 0
    assert "up to date" in result.stdout


def test_a_database_of_a_newer_release_is_refused_by_name(database: str) -> None:
    run("migrate", "--database", database)
    write(database, "INSERT INTO schema_version VALUES (9999, '9999_post_future', 'x', 0)")
    for command in ("status", "migrate"):
        result = run(command, "--database", database)
        assert result.exit_code == 1
        assert "9999_post_future" in result.stderr
        assert "[schema_mismatch]" in result.stderr


def test_sql_prints_what_is_missing_and_runs_nothing(database: str) -> None:
    text = run("sql", "--database", database).stdout
    assert "CREATE TABLE" in text
    assert run("status", "--database", database).exit_code == 1
    run("migrate", "--database", database)
    assert "CREATE TABLE run" not in run("sql", "--pending", "--database", database).stdout


def test_asking_for_the_status_makes_no_file(tmp_path: Path) -> None:
    run("status", "--database", str(tmp_path / "state.db"))
    assert list(tmp_path.iterdir()) == []


def test_the_default_is_the_folder_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSPRING_DATABASE_URL", raising=False)
    run("migrate")
    assert (tmp_path / ".mainspring" / "state.db").is_file()
    assert (tmp_path / ".mainspring").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".mainspring" / ".gitignore").read_text() == "*\n"


def test_a_url_of_another_database_is_refused_with_what_is_expected() -> None:
    result = run("status", "--database", "mysql://u:secret@host/jobs")
    assert result.exit_code == 2
    assert "postgresql://" in result.stderr
    assert "secret" not in result.stderr
    assert "[configuration]" in result.stderr


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but longer than a header " * 20)
    result = run("status", "--database", str(tmp_path / "notes.txt"))
    assert result.exit_code == 5
    assert "[store_unavailable]" in result.stderr
    assert "notes.txt" in result.stderr


def test_a_server_that_is_not_there_is_unreachable() -> None:
    result = run("migrate", "--database", "postgresql://nobody:hidden@127.0.0.1:1/nothing")
    assert result.exit_code == 5
    assert "[store_unavailable]" in result.stderr
    assert "hidden" not in result.stderr


def test_without_citus_nothing_is_distributed(database: str) -> None:
    run("migrate", "--database", database)
    for more in ((), ("--dry-run",)):
        result = run("distribute", "--database", database, *more)
        assert result.exit_code == 2
        assert "Citus" in result.stderr
        assert "[configuration]" in result.stderr
