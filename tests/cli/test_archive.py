"""`mainspring archive ls` and what doctor says of the archive."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from mainspring.app.stores import locate, store_at
from mainspring.cli.main import root
from mainspring.ids import IdSource
from mainspring.store.archived import ArchiveFile
from mainspring.store.archives import ArchiveRow
from mainspring.testing.store_rows import NOW


def ls(database: str, *arguments: str) -> Result:
    return CliRunner().invoke(root, ["archive", "ls", "--database", database, *arguments])


class Zeros:
    def getrandbits(self, k: int) -> int:
        return 0


async def fill(database: str) -> str:
    """A database with one archive; its id."""
    place = locate(database)
    store = store_at(place)
    await store.open()
    shard_id = (await store.catalog.ensure_environment("dev")).shard_id
    epoch = await store.shards.take(shard_id, "one")
    made = IdSource(Zeros())
    run_id, archive_id = made.new("run", NOW, shard_id), made.new("archive", NOW, shard_id)
    files = [ArchiveFile("run", "run/x.parquet", 2, 100, "ab"), ArchiveFile("log", "l", 5, 50, "")]
    row = ArchiveRow(shard_id, archive_id, "runs", "writing", "/there", run_id, run_id, "[]", NOW)
    await store.past.archives.add(epoch, row)
    row = msgspec.structs.replace(row, files=msgspec.json.encode(files).decode())
    await store.past.archives.written(epoch, row)
    await store.close()
    return archive_id


def test_archives_are_listed_with_what_is_in_them(tmp_path: Path) -> None:
    database = str(tmp_path / "state.db")
    archive_id = asyncio.run(fill(database))
    result = ls(database, "--json")
    assert result.exit_code == 0, result.output
    item = json.loads(result.stdout)
    assert item["name"] == f"2023-11-14-{archive_id}"
    assert item["from"] == item["to"] == item["archivedAt"] == "2023-11-14T22:13:20.000Z"
    assert (item["kind"], item["state"], item["place"]) == ("runs", "written", "/there")
    assert (item["count"], item["rows"], item["bytes"]) == (2, 7, 150)
    assert item["files"][0] == {"name": "run/x.parquet", "rows": 2, "bytes": 100, "sha256": "ab"}
    assert ls(database, "-q").stdout.strip() == item["name"]


def test_without_a_database_there_is_nothing_to_list(tmp_path: Path) -> None:
    result = ls(str(tmp_path / "none.db"))
    assert result.exit_code == 2
    assert "There is no database" in result.output


def doctor(settings: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    for name in ("MAINSPRING_URL", "MAINSPRING_SECRET_KEY", "MAINSPRING_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"MAINSPRING_SERVER_PORT": "0", **settings}.items():
        monkeypatch.setenv(name, value)
    found = CliRunner().invoke(root, ["doctor", "--json"]).stdout
    [line] = [line for line in found.splitlines() if '"check":"archive"' in line]
    return line


def test_doctor_tries_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = {"MAINSPRING_SERVER_ARCHIVE": "old"}
    assert '"warn"' in doctor(archive, tmp_path, monkeypatch)  # nothing is ever deleted
    days = archive | {"MAINSPRING_SERVER_KEEP_DAYS": "30"}
    assert '"ok"' in doctor(days, tmp_path, monkeypatch)
    assert list((tmp_path / "old").iterdir()) == []
    (tmp_path / "file").touch()
    failed = doctor(days | {"MAINSPRING_SERVER_ARCHIVE": "file"}, tmp_path, monkeypatch)
    assert '"fail"' in failed
    assert "Nothing is deleted before" in failed
