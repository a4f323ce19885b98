"""A folder becomes a version, what waits is replayed against it, and what fits goes on in it."""

import base64
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.app import prepared as preparing
from mainspring.app.deploying import send
from mainspring.app.preflight import carry, preflight
from mainspring.app.prepared import prepare
from mainspring.errors import ConfigurationError, TaskImportFailed
from mainspring.model.task import TaskSpec, default_queue
from mainspring.settings import Settings
from mainspring.store.sqlite import SqliteStore
from mainspring.wire.deploying import Bundle, Deployment, Promote, Rollback
from mainspring.wire.worker import Entry
from tests.engine.durable import record
from tests.engine.house import House, Worker

TASKS = """
import os
from mainspring import step, task, wait

def charge(): ...
def ship(): ...

@task
async def same():
    await step("charge", charge)
    await step("ship", ship)
    await wait.for_("1h")

@task
async def renamed():
    await step("charge", charge)
    await step("send", ship)
    await wait.for_("1h")

@task
async def reordered():
    await step("ship", ship)
    await step("charge", charge)
    await wait.for_("1h")

@task
async def removed():
    await step("charge", charge)
    await wait.for_("1h")

@task
async def dies():
    os._exit(7)
"""
RUNS = ("same", "renamed", "reordered", "removed", "dies", "gone")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    store = SqliteStore(":memory:")
    await store.open()
    house = House(store)
    await house.start()
    yield house
    await house.stop()
    await store.close()


def project(folder: Path, text: str = TASKS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "tasks.py").write_text(text)
    return folder


async def deployed(house: House, folder: Path, **options: Any) -> str:
    made: Deployment = await send(house.ask, folder, Settings(), **options)
    return made.version


async def asleep(house: House, worker: Worker, task: str) -> str:
    """A run that has charged and shipped, and sleeps for an hour."""
    run = await house.trigger({}, task=task)
    await house.settle()
    worker.begin(run)
    entries = [
        Entry(name, at, "step", data="null", fingerprint=f"{name}:")
        for at, name in enumerate(("charge", "ship"), 1)
    ]
    record(worker, run, *entries)
    worker.sleep(run, "wait:time", seq=3, after_ms=3_600_000)
    await house.settle()
    return run


async def test_what_waits_is_judged_and_what_fits_goes_on_in_the_new_version(
    house: House, tmp_path: Path
) -> None:
    tasks = [TaskSpec(name, default_queue(name)) for name in RUNS]
    old = house.worker(*tasks, version="old", slots=50)
    await house.settle()
    await house.ask(Promote("old"))
    runs = {name: [await asleep(house, old, name) for _ in range(3)] for name in RUNS}
    version = await deployed(house, project(tmp_path / "code"))
    prepared = await prepare(house.ask, version, tmp_path / "cache")
    verdicts = await preflight(house.ask, prepared)
    told = Counter((one.task, one.verdict, one.at) for one in verdicts)
    assert told == {
        ("same", "fits", "wait:time"): 3,
        ("reordered", "fits", "wait:time"): 3,
        ("renamed", "diverges", "ship"): 3,
        ("removed", "diverges", "ship"): 3,
        ("dies", "unknown", ""): 3,
        ("gone", "diverges", ""): 3,
    }
    await house.ask(Promote(version))
    assert await carry(house.ask, version, verdicts) == 6
    await house.advance(3_600_000)  # longer than a worker may be silent
    new = house.worker(*tasks, version=version, slots=50)
    old.connect()
    await house.settle()
    assert new.runs.keys() == {*runs["same"], *runs["reordered"]}
    for run in list(new.runs):
        new.finish(run)
    await house.settle()
    back: Deployment = await house.ask(Rollback())
    assert back.version == "old"
    fresh = await house.trigger({}, task="same")
    await house.settle()
    assert fresh in old.runs
    for run in list(old.runs):
        old.finish(run)
    await house.settle()
    assert not (await house.counts()).keys() & {"failed", "crashed"}
    assert await house.differences() == []


async def test_code_is_fetched_once_and_verified(house: House, tmp_path: Path) -> None:
    version = await deployed(house, project(tmp_path / "code"))
    cache = tmp_path / "cache"
    first = await prepare(house.ask, version, cache)
    (first.root / "mark").touch()
    again = await prepare(house.ask, version, cache)
    assert again == first
    assert (again.root / "mark").exists()

    async def changed(request: Any) -> Any:
        found: Bundle = await house.ask(request)
        found.hash = "0" * 64
        found.bundle = base64.b64encode(b"other").decode()
        return found

    with pytest.raises(ConfigurationError, match="should have 000000000000"):
        await prepare(changed, version, cache)
    assert [path.name for path in cache.iterdir()] == [first.root.parent.name]


async def test_requirements_get_an_environment_of_their_own(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[list[str]] = []

    def run(command: list[str], folder: Path) -> None:
        done.append(command)
        if command[2] == "venv":
            site = Path(command[3], "lib", "python3", "site-packages")
            site.mkdir(parents=True)
            Path(command[3], "bin").mkdir()
            Path(command[3], "bin", "python").touch()
        else:
            raise ConfigurationError("no such package")

    monkeypatch.setattr(preparing, "_run", run)
    folder = project(tmp_path / "code")
    (folder / "requirements.txt").write_text("# none\n")
    version = await deployed(house, folder)
    with pytest.raises(ConfigurationError, match="no such package"):
        await prepare(house.ask, version, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert [command[1:3] for command in done] == [["-m", "venv"], ["-m", "pip"]]


async def test_variables_of_the_environment_are_there_when_code_is_imported(
    house: House, tmp_path: Path
) -> None:
    text = "import os\nfrom mainspring import task\nos.environ['TOKEN']\n" + TASKS
    folder = project(tmp_path / "code", text)
    with pytest.raises(TaskImportFailed) as found:
        await deployed(house, folder)
    assert "KeyError: 'TOKEN'" in found.value.details
    assert str(folder / "tasks.py") in found.value.details
    await deployed(house, folder, variables={"TOKEN": "x"})
    dead = project(tmp_path / "dead", "import mainspring, os\nos._exit(3)\n")
    with pytest.raises(TaskImportFailed, match="ended with status 3"):
        await deployed(house, dead)
