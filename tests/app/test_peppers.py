"""Where the pepper comes from, and that neither database nor log holds what a key is made of."""

import logging
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import apsw
import asyncpg
import httpx2
import pytest

from mainspring.app.hosted import hosted
from mainspring.app.peppers import file_of
from mainspring.app.stores import Location, locate, migrate, store_at
from mainspring.errors import ConfigurationError
from mainspring.model.key import key_hash, new_key
from mainspring.model.pepper import Pepper
from mainspring.server.keybook import KeyBook
from mainspring.server.peoplebook import PeopleBook
from mainspring.settings import ServerSettings
from mainspring.store.access import KeyRow
from tests.databases import fresh_database

PEPPER = "0123456789abcdef" * 4
KEY = new_key("dev", random.Random(1))


def settings(pepper: str = "") -> ServerSettings:
    return ServerSettings(port=0, pepper=pepper)


async def works(place: Location, key: str, pepper: str = "") -> bool:
    """Whether a server that is started on the database takes the key."""
    async with hosted(place, settings(pepper)) as server, httpx2.AsyncClient() as client:
        headers = {"authorization": f"Bearer {key}"}
        answer = await client.get(f"{server.url}/api/v1/queues", headers=headers)
        return answer.status_code == 200


@pytest.fixture
def place(tmp_path: Path) -> Location:
    return locate(str(tmp_path / "jobs" / "state.db"))


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Location]:
    """A database of the test's own, ready for a server."""
    if request.param == "sqlite":
        yield locate(str(tmp_path / "jobs" / "state.db"))
        return
    with fresh_database(request.getfixturevalue("postgres_url"), "peppers") as url:
        yield locate(url)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def dump(place: Location) -> bytes:
    """Every byte of the database's files, or every row of every table as text."""
    if place.kind == "sqlite":
        files = Path(place.target).parent.rglob("*")
        return b"".join(
            file.read_bytes() for file in files if file.is_file() and file != file_of(place)
        )
    connection = await asyncpg.connect(place.target)
    names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        row[0]
        for (name,) in names
        for row in await connection.fetch(f'SELECT CAST(t AS text) FROM "{name}" t')
    ]
    await connection.close()
    return "\n".join(rows).encode()


def eights(text: bytes) -> set[bytes]:
    """Each eight bytes of it that follow one another."""
    return {text[at : at + 8] for at in range(len(text) - 7)}


async def test_no_eight_letters_of_a_key_are_in_the_database_or_the_log(
    either: Location, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []
    async with hosted(either, settings(PEPPER), key=KEY) as server:
        secrets.append(KEY)
        access = server.engine.store.access
        env = await server.engine.environment("dev")
        pepper = Pepper(PEPPER)
        book = KeyBook(access, pepper, server.engine.clock.now(), "test")
        for number in range(100):
            _, key = await book.create(env, f"key {number}")
            secrets.append(key)
        people = PeopleBook(access, pepper, server.engine.clock.now(), "test")
        secrets.append(await people.add("ada", "admin", None))
        async with httpx2.AsyncClient(base_url=server.url) as client:
            for secret in secrets:
                headers = {"authorization": f"Bearer {secret}"}
                assert (await client.get("/api/v1/queues", headers=headers)).status_code == 200
            headers = {"authorization": f"Bearer {KEY}"}
            made = await client.post(
                "/api/v1/auth/public-tokens",
                headers=headers,
                json={"scopes": ["trigger:tasks:t"], "oneTimeUse": True},
            )
            token = made.json()["token"]
            bearer = {"authorization": f"Bearer {token}"}
            await client.post("/api/v1/tasks/t/trigger", headers=bearer, json={})
            secrets.append(token.rpartition(".")[2])
        assert b"keys.create" in await dump(either)
        content = await dump(either)
    content += await dump(either) + caplog.text.encode()
    secrets.append(PEPPER)
    known = eights(content)
    for secret in secrets:
        body = secret.rpartition("_sk_" if "_sk_" in secret else "tr_pat_")[2]
        assert not eights(body.encode()) & known, secret[:12]
        assert key_hash(secret).encode() not in content


async def test_a_pepper_is_made_beside_a_file_and_found_again(place: Location) -> None:
    async with hosted(place, settings(), key=KEY):
        made = file_of(place).read_text()
    assert stat.S_IMODE(file_of(place).stat().st_mode) == 0o600
    assert len(made) == 64
    assert await works(place, KEY)
    assert file_of(place).read_text() == made


async def test_servers_of_one_postgres_share_a_pepper_that_nobody_has_set(
    either: Location, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosted(either, settings(), key=KEY):
        pass
    assert await works(either, KEY)
    warned = "MAINSPRING_PEPPER is not set" in caplog.text
    assert warned is (either.kind == "postgres")


async def test_a_database_knows_its_own_pepper(either: Location) -> None:
    async with hosted(either, settings(PEPPER), key=KEY):
        pass
    assert await works(either, KEY, PEPPER)
    with pytest.raises(ConfigurationError, match="another pepper"):
        await works(either, KEY, PEPPER[::-1])
    with pytest.raises(ConfigurationError, match="MAINSPRING_PEPPER"):
        await works(either, KEY)


async def test_a_pepper_that_is_lost_is_missed_before_anything_is_served(place: Location) -> None:
    async with hosted(place, settings(), key=KEY):
        pass
    file_of(place).unlink()
    with pytest.raises(ConfigurationError, match="is missing"):
        await works(place, KEY)
    assert not file_of(place).exists()


@pytest.mark.parametrize("pepper", ["short", "x" * 31])
async def test_a_short_pepper_is_refused_and_not_told(place: Location, pepper: str) -> None:
    with pytest.raises(ConfigurationError, match="32 or more") as refused:
        await works(place, KEY, pepper)
    assert pepper not in refused.value.message


async def write(place: Location, statement: str) -> None:
    """Change a database that no server has open."""
    if place.kind == "postgres":
        await execute(place.target, statement)
    else:
        connection = apsw.Connection(place.target)
        connection.execute(statement)
        connection.close()


async def test_keys_of_an_older_database_work_on_under_the_pepper(either: Location) -> None:
    if either.on_disk:
        await migrate(either)
    store = store_at(either)
    await store.open()
    env = await store.catalog.ensure_environment("dev")
    await store.close()
    former = f"'{key_hash(KEY)}', {env.env_id}, 'laptop', 1"
    columns = "key_hash, env_id, label, created_at"
    await write(either, f"INSERT INTO api_key ({columns}) VALUES ({former})")
    assert await works(either, KEY)

    async def row() -> KeyRow:
        await store.open()
        (found,) = await store.access.keys(0)
        await store.close()
        return found

    store = store_at(either)
    assert ((await row()).label, (await row()).last_four) == ("laptop", "")
    assert (await row()).used_at is not None
    async with hosted(either, settings(), key=KEY):
        pass
    assert (await row()).last_four == KEY[-4:]
