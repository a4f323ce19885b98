"""A hosted server: its first key, its environment, and what a start that fails leaves behind."""

import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from mainspring.app import stores
from mainspring.app.hosted import Hosted, hosted
from mainspring.app.stores import Location, locate, schema
from mainspring.errors import (
    ConfigurationError,
    NotFound,
    PortTaken,
    SchemaMismatch,
    StoreInUse,
    Unauthorized,
)
from mainspring.model.key import new_key
from mainspring.sdk.http import HttpTransport
from mainspring.settings import ServerSettings
from mainspring.wire.calls import ListTasks, Retrieve
from tests.databases import fresh_database

ANY_PORT = ServerSettings(port=0)
DEV = new_key("dev", random.Random(1))


async def slug_of(server: Hosted, key: str) -> str | None:
    """The environment that the key opens, as a request with it sees it."""
    async with httpx2.AsyncClient() as client:
        headers = {"authorization": f"Bearer {key}"}
        found = await client.post(f"{server.url}/api/v1/auth/jwt/claims", headers=headers)
    if found.status_code == 401:
        return None
    envs = await server.engine.store.catalog.environments()
    return next(env.slug for env in envs if f"env_{env.env_id}" == found.json()["sub"])


def content(place: Location) -> bytes:
    return Path(place.target).read_bytes()


@pytest.fixture
def place(tmp_path: Path) -> Location:
    return locate(str(tmp_path / "jobs" / "state.db"))


async def test_a_new_database_gets_one_key_that_is_shown_once(place: Location) -> None:
    async with hosted(place, ANY_PORT) as server:
        key = server.new_key
        assert key is not None
        assert re.fullmatch(r"tr_prod_sk_\w{24}", key)
        assert await slug_of(server, key) == "prod"
    async with hosted(place, ANY_PORT) as server:
        assert server.new_key is None
        assert await slug_of(server, key) == "prod"
    assert key.encode() not in content(place)


async def test_a_given_key_makes_the_environment_that_it_names(place: Location) -> None:
    async with hosted(place, ANY_PORT, key=DEV) as server:
        assert server.new_key is None
        assert await slug_of(server, DEV) == "dev"


async def test_a_second_key_of_an_environment_is_added_to_the_first(place: Location) -> None:
    second = new_key("dev", random.Random(2))
    async with hosted(place, ANY_PORT, key=DEV):
        pass
    async with hosted(place, ANY_PORT, key=second) as server:
        assert {await slug_of(server, key) for key in (DEV, second)} == {"dev"}


async def test_a_preview_key_needs_the_name_of_its_environment(place: Location) -> None:
    key = new_key("preview-shop", random.Random(3))
    async with hosted(place, ANY_PORT, key=key, environment="preview-shop") as server:
        assert await slug_of(server, key) == "preview-shop"


async def test_requests_are_answered_at_its_url(place: Location) -> None:
    async with hosted(place, ANY_PORT, key=DEV) as server:
        transport = HttpTransport(server.url, DEV)
        assert (await transport.call(ListTasks())).tasks == []  # type: ignore[union-attr]
        with pytest.raises(NotFound):
            await transport.call(Retrieve("run_00000000000000000000zz"))
        await transport.close()


async def test_an_ill_formed_key_leaves_the_file_free(place: Location) -> None:
    with pytest.raises(Unauthorized, match="MAINSPRING_SECRET_KEY"):
        async with hosted(place, ANY_PORT, key="sk_1"):
            pass
    async with hosted(place, ANY_PORT):
        pass


async def test_a_taken_port_is_found_before_the_database_is_touched(place: Location) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortTaken):
        async with hosted(place, ServerSettings(port=taken.getsockname()[1])):
            pass
    assert place.is_missing


async def test_a_failed_start_frees_the_port(place: Location) -> None:
    async with hosted(place, ANY_PORT):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        with pytest.raises(StoreInUse):
            async with hosted(place, ServerSettings(port=port)):
                pass
        with socket.create_server(("127.0.0.1", port)):
            pass


async def test_an_address_of_another_machine_is_refused(place: Location) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("192.0.2.1")):
        async with hosted(place, ServerSettings(host="192.0.2.1")):
            pass


@pytest.fixture
def new_postgres(postgres_url: str) -> Iterator[str]:
    with fresh_database(postgres_url, "new", migrated=False) as url:
        yield url


async def test_postgres_is_not_migrated_by_a_start(new_postgres: str) -> None:
    with pytest.raises(SchemaMismatch, match="mainspring db migrate"):
        async with hosted(locate(new_postgres), ANY_PORT):
            pass
    assert await schema(locate(new_postgres)) == []


@pytest.mark.parametrize(
    "text, kind, target",
    [
        ("jobs.db", "sqlite", "jobs.db"),
        ("/var/jobs.db", "sqlite", "/var/jobs.db"),
        ("sqlite:///jobs.db", "sqlite", "jobs.db"),
        ("sqlite:////var/a%20b.db", "sqlite", "/var/a b.db"),
        ("sqlite://", "sqlite", ":memory:"),
        ("sqlite:///:memory:", "sqlite", ":memory:"),
        (":memory:", "sqlite", ":memory:"),
        ("postgresql://a@h/d", "postgres", "postgresql://a@h/d"),
        ("postgres://a@h/d", "postgres", "postgres://a@h/d"),
    ],
)
def test_a_database_is_a_path_or_a_url(text: str, kind: str, target: str) -> None:
    assert (locate(text).kind, locate(text).target) == (kind, target)


@pytest.mark.parametrize("text", ["", "sqlite:///", "mysql://h/d", "redis://h", "folder/"])
def test_other_texts_are_no_database(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a database"):
        locate(text)


def test_a_password_is_never_shown() -> None:
    place = locate("postgresql://ann:secret@h/d")
    assert place.shown == "postgresql://ann:…@h/d"
    assert locate("sqlite://").shown == stores.MEMORY


@pytest.mark.parametrize(
    "library, use, said, extra",
    [
        (
            "asyncpg",
            "from mainspring.app.stores import locate, store_at\n"
            "store_at(locate('postgresql://a@h/d'))",
            "PostgreSQL needs a driver",
            "postgres",
        ),
        (
            "pyarrow",
            "from mainspring.app.archives import depot_at\ndepot_at('old')",
            "server.archive is set",
            "archive",
        ),
    ],
)
def test_what_needs_a_library_that_is_missing_says_what_to_install(
    library: str, use: str, said: str, extra: str
) -> None:
    program = f"import sys\nsys.modules[{library!r}] = None\n{use}\n"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert f"ConfigurationError: {said}" in ran.stderr
    assert f"mainspring[{extra}]" in ran.stderr


async def test_what_the_settings_say_of_old_runs_reaches_the_engine(tmp_path: Path) -> None:
    settings = ServerSettings(port=0, keep_days=7, archive=str(tmp_path / "old"))
    async with hosted(locate(str(tmp_path / "state.db")), settings) as server:
        assert server.engine.keep_ms == 7 * 86_400_000
        assert server.engine.depot is not None
        assert server.engine.depot.place == str(tmp_path / "old")
