"""The built dashboard in a real Chromium, served as users serve it; what it weighs."""

import asyncio
import gzip
import os
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.app.stores import locate, store_at
from mainspring.model.key import new_key
from tests.cli.processes import COMMAND
from tests.databases import fresh_database
from tests.figures import FIGURES
from tests.npm.platforms import Platform, one_process, several_processes
from tests.npm.suites import report
from tools import dashboard, wheel
from tools.environment import ROOT, SetupFailed

PICTURES = ROOT / "build" / "screenshots"
"""Where a picture of each page in each theme is kept."""
LANDING = 160 * 1024
"""Bytes of scripts that the first page may take, as they travel."""


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder of the built dashboard."""
    try:
        dashboard.ensure()
    except SetupFailed as problem:
        pytest.fail(str(problem), pytrace=False)
    return dashboard.BUILT


@pytest.fixture(scope="module")
def developed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """`mainspring dev` on SQLite."""
    with one_process(tmp_path_factory.mktemp("dashboard")) as platform:
        yield platform


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[str]:
    with fresh_database(postgres_url, "dashboard") as url:
        yield url


@pytest.fixture(scope="module")
def deployed(
    built: Path, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """`mainspring server` on PostgreSQL."""
    with several_processes(tmp_path_factory.mktemp("dashboard"), database) as platform:
        yield platform


@pytest.fixture
def mounted(built: Path, tmp_path: Path) -> Iterator[Platform]:
    """An application that has all of it below a path."""
    key = new_key("dev", random.Random(7))
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.npm.mounted"],
        cwd=tmp_path,
        env={**os.environ, "MAINSPRING_SECRET_KEY": key, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield Platform(process.stdout.readline().split()[1], key)
        process.terminate()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_pages_work(
    developed: Platform, node_path: str, chromium_path: str, subtests: pytest.Subtests
) -> None:
    """Among them that 10,000 spans scroll at 50 frames a second: a frame may take 20 ms of its main
    thread's processor time, which others on this machine do not use up as they do the time between
    frames. That one is a figure in `build`, and no test fails of it.
    """
    pictures = Path(os.environ.get("MAINSPRING_SCREENSHOTS", PICTURES))
    pictures.mkdir(parents=True, exist_ok=True)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    report(
        node_path, "dashboard/main.mjs", developed, subtests, "runs", "run", "pages", "looks",
        "frames", CHROMIUM=chromium_path, MAINSPRING_PICTURES=str(pictures),
        MAINSPRING_FIGURES=str(FIGURES),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_pages_work_after_a_sign_in_on_postgresql(
    deployed: Platform, node_path: str, chromium_path: str, subtests: pytest.Subtests
) -> None:
    report(node_path, "dashboard/main.mjs", deployed, subtests, "server", CHROMIUM=chromium_path)
    report(
        node_path, "dashboard/main.mjs", deployed, subtests, "runs", "run", "pages",
        CHROMIUM=chromium_path, SIGNED_IN="yes",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_people_see_and_do_what_their_role_allows(
    deployed: Platform,
    database: str,
    node_path: str,
    chromium_path: str,
    subtests: pytest.Subtests,
) -> None:
    asyncio.run(make_environment(database, "prod"))
    add = ("people", "add", "--role")
    report(
        node_path,
        "dashboard/main.mjs",
        deployed,
        subtests,
        "people",
        CHROMIUM=chromium_path,
        VIEWER=command(*add, "viewer", "vera", "--environment", "dev", database=database),
        ADMIN=command(*add, "admin", "ada", database=database),
    )


async def make_environment(database: str, slug: str) -> None:
    store = store_at(locate(database))
    await store.open()
    try:
        await store.catalog.ensure_environment(slug)
    finally:
        await store.close()


def command(*arguments: str, database: str) -> str:
    """What that command of `mainspring` has made."""
    line = [*COMMAND, *arguments, "--quiet", "--database", database]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_wheel_carries_the_pages_and_serves_them_without_node(
    built: Path, tmp_path: Path
) -> None:
    made = wheel.make(tmp_path)
    carried = {name for name in zipfile.ZipFile(made).namelist() if "/dashboard/" in name}
    there = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    assert carried == {f"mainspring/dashboard/{path.as_posix()}" for path in there}
    wheel.prove(made, offline=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_pages_work_below_any_path(
    mounted: Platform, node_path: str, chromium_path: str, subtests: pytest.Subtests
) -> None:
    suites = ("server", "first", "admin")
    report(node_path, "dashboard/main.mjs", mounted, subtests, *suites, CHROMIUM=chromium_path)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_first_page_is_light(built: Path) -> None:
    index = (built / "index.html").read_text()
    scripts = re.findall(r'(?:src|href)="\./(assets/[^"]+\.js)"', index)
    assert scripts
    weight = sum(len(gzip.compress((built / name).read_bytes(), 9)) for name in scripts)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    with FIGURES.open("a") as file:
        file.write(f'{{"what":"scripts of the first page","bytes":{weight},"most":{LANDING}}}\n')
    assert weight < LANDING, f"{weight:,} bytes; load a page's own parts with the page"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_page_asks_nothing_of_other_sites(built: Path) -> None:
    index = (built / "index.html").read_text()
    assert "://" not in index
    assert not re.search(r"<script(?![^>]*\bsrc=)", index)
