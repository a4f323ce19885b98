"""Large texts and uploads: in rows of each database, and in a directory."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import apsw
import asyncpg
import pytest

from mainspring.errors import FencedOut
from mainspring.store.changes import PLAN, REFERRING
from mainspring.store.dialect import SQLITE
from mainspring.store.objects import DirectoryObjects, Held, Objects
from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore
from mainspring.store.statements import parsed, texts
from mainspring.testing.store_aside import AsideContract, states
from mainspring.testing.store_objects import LARGE, NOW, PATH, PLACE, ObjectsContract, parts


class TestRows(ObjectsContract, AsideContract):
    @pytest.fixture
    def objects(self, store: Store) -> Objects:
        return store.objects

    @pytest.fixture
    async def held(self, store: Store) -> Held:
        return 7, await store.shards.take(7, "walker")

    async def test_who_lost_the_shard_moves_and_deletes_nothing(
        self, objects: Objects, held: Held, store: Store
    ) -> None:
        ref, aside = await objects.put(LARGE), await objects.put("aside")
        await objects.lay_aside([aside], NOW, held)
        await store.shards.take(7, "another")
        for move in (
            objects.lay_aside([ref], NOW, held),
            objects.take_back([aside], held),
            objects.expire([aside], NOW, held),
        ):
            with pytest.raises(FencedOut):
                await move
        assert await states(objects) == {(ref, None), (aside, NOW)}


class TestDirectory(ObjectsContract, AsideContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return DirectoryObjects(tmp_path / "objects")

    @pytest.fixture
    def held(self) -> Held:
        return 7, 1

    async def test_a_path_cannot_lead_out_of_the_directory(
        self, objects: Objects, tmp_path: Path
    ) -> None:
        for path in ("../../evil", "/etc/evil", "..", "a/../../../evil", "\\..\\evil", "x" * 900):
            await objects.keep(PLACE, path, "text/plain", parts(path), NOW)
            found = await objects.kept(PLACE, path)
            assert found is not None
            assert found.text == path
        assert os.listdir(tmp_path) == ["objects"]

    async def test_nothing_half_written_is_left_lying(
        self, objects: Objects, tmp_path: Path
    ) -> None:
        await objects.keep(PLACE, PATH, "text/plain", parts("a", "b"), NOW)
        files = [name for _, _, names in os.walk(tmp_path) for name in names]
        assert len(files) == 1
        assert not files[0].endswith(".part")

    async def test_a_file_that_a_dead_process_had_begun_is_removed(
        self, objects: Objects, tmp_path: Path
    ) -> None:
        ref = await objects.put("x")
        folder = tmp_path / "objects" / ref[:2]
        old, young = folder / f"{ref}.7-0.part", folder / f"{ref}.8-0.part"
        for part in (old, young):
            part.write_text("ha")
        os.utime(old, (1, 1))
        assert await states(objects) == {(ref, None)}
        assert sorted(os.listdir(folder)) == sorted([ref, young.name])

    async def test_what_was_being_laid_aside_in_a_crash_has_not_been_aside_for_long(
        self, objects: Objects, held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(path: Path, target: Path) -> None:
            raise OSError(f"the machine went down at {path.name} (made so by a test)")

        ref = await objects.put("x")
        with monkeypatch.context() as broken:
            broken.setattr(Path, "replace", crash)
            with pytest.raises(OSError, match=ref):
                await objects.lay_aside([ref], NOW, held)
        assert await states(objects) == {(ref, None)}
        assert (tmp_path / "objects" / ref[:2] / ref).stat().st_mtime == NOW / 1000


async def waits_for_a_lock(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Until some session of the database waits for another one."""
    sql = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(20):
        while not await connection.fetchval(sql):  # noqa: ASYNC110 - the other one cannot tell
            await asyncio.sleep(0.01)


async def test_a_text_that_is_put_while_it_is_laid_aside_is_a_new_one(
    postgres: PostgresStore, empty_url: str
) -> None:
    ref = await postgres.objects.put(LARGE)
    other = await asyncpg.connect(empty_url)
    laying = other.transaction()
    await laying.start()
    await other.execute("UPDATE object SET object_id = object_id || '-', aside_at = 1")
    putting = asyncio.create_task(postgres.objects.put(LARGE))
    await waits_for_a_lock(other)
    assert await postgres.objects.get(ref) == LARGE
    await laying.commit()
    assert await putting == ref
    await other.execute("DELETE FROM object WHERE aside_at IS NOT NULL")
    assert await postgres.objects.get(ref) == LARGE
    await other.close()


async def test_a_text_whose_put_is_not_committed_is_not_laid_aside(
    postgres: PostgresStore, empty_url: str
) -> None:
    held = 7, await postgres.shards.take(7, "walker")
    ref = await postgres.objects.put("x" * 9)
    await postgres.objects.lay_aside([ref], NOW, held)
    other = await asyncpg.connect(empty_url)
    async with other.transaction():
        await other.execute(
            "INSERT INTO object (shard_id, object_id, part, data) "
            "SELECT shard_id, $1, part, data FROM object",
            ref,
        )
        await postgres.objects.lay_aside([ref], NOW + 1, held)
        await postgres.objects.expire([ref], NOW + 1, held)
    assert await postgres.objects.get(ref) == "x" * 9
    await other.close()


async def test_parts_without_the_first_are_no_object(
    postgres: PostgresStore, empty_url: str
) -> None:
    """What a put leaves that saw the first part in its place and the others aside."""
    held = 7, await postgres.shards.take(7, "walker")
    ref = await postgres.objects.put(LARGE)
    await postgres.objects.lay_aside([ref], NOW, held)
    other = await asyncpg.connect(empty_url)
    await other.execute(
        "INSERT INTO object (shard_id, object_id, part, data) "
        "SELECT shard_id, $1, part, data FROM object WHERE part > 0",
        ref,
    )
    assert await states(postgres.objects) == {(ref, NOW)}
    assert await postgres.objects.get(ref) == LARGE
    await postgres.objects.take_back([ref], held)
    assert await states(postgres.objects) == {(ref, None)}
    assert await postgres.objects.get(ref) == LARGE
    await other.close()


COLUMNS = """SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND column_name LIKE '%\\_ref'"""
OTHER_NAMES = {("debounce", "payload")}


def listed() -> set[tuple[str, str]]:
    """Columns that `objects_referred` asks."""
    found = re.findall(
        r"FROM (\w+) x WHERE x\.shard_id = :shard AND x\.(\w+) ", texts(SQLITE)["objects_referred"]
    )
    return {(table, column) for table, column in found}


async def test_every_column_that_refers_to_objects_is_asked(empty_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(empty_url)
    assert {tuple(row) for row in await connection.fetch(COLUMNS)} | OTHER_NAMES == listed()
    await connection.close()
    await SqliteStore(tmp_path / "state.db").migrate()
    lite = apsw.Connection(str(tmp_path / "state.db"))
    found = lite.execute(
        "SELECT t.name, c.name FROM pragma_table_list t, pragma_table_info(t.name) c "
        "WHERE t.schema = 'main' AND c.name LIKE '%\\_ref' ESCAPE '\\'"
    ).fetchall()
    lite.close()
    assert set(found) | OTHER_NAMES == listed()


def test_a_commit_knows_what_its_rows_refer_to() -> None:
    found = {}
    for name in PLAN:
        columns = [column for column, _ in parsed(texts(SQLITE)[name])[0]]
        places = tuple(at for at, column in enumerate(columns) if column.endswith("_ref"))
        if places:
            found[name] = places
    assert found == REFERRING
    assert parsed(texts(SQLITE)["debounce"])[0][-1] == ("payload", "text")


FILLING = """SELECT column_name, data_type, is_nullable FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = $1"""
WORDS = {("run_done", "status"): "failed", ("waitpoint", "status"): "completed"}


@pytest.mark.parametrize("table, column", sorted(listed()))
async def test_an_object_is_referred_to_by_each_of_them(
    postgres: PostgresStore, empty_url: str, table: str, column: str
) -> None:
    """A row with nothing but what it must have, and the reference."""
    ref, lite = "0123abcd" * 8, SqliteStore(":memory:")
    text = f"ref:{ref}" if (table, column) in OTHER_NAMES else ref
    connection = await asyncpg.connect(empty_url)
    values: dict[str, object] = {}
    for name, type_, nullable in await connection.fetch(FILLING, table):
        if nullable == "NO":
            values[name] = WORDS.get((table, name), "x" if type_ == "text" else 1)
    values |= {"shard_id": 5, column: text}
    said = ", ".join(repr(value) for value in values.values())
    insert = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({said})"
    await connection.execute(insert)
    await connection.close()
    await lite.open()
    await lite.database._aside(lambda opened: opened.execute(insert))
    for store in (postgres, lite):
        asked = [f"{number:064x}" for number in range(9)]
        assert await store.past.referred(5, [*asked, ref]) == {ref}
        assert await store.past.referred(6, [*asked, ref]) == set()
        assert await store.past.referred(5, [*asked, f"{ref[:-1]}e"]) == set()
    await lite.close()
