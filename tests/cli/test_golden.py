"""Every command has a page with what it prints, on a terminal and as JSON.

Their help is in docs/reference/cli.md, which `tests/docs` compares.

A page is typed by hand only as far as its commands: `MAINSPRING_GOLDEN=write ./dev test
tests/cli/test_golden.py` writes below them what they print now.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mainspring.cli.lazy import LazyGroup
from mainspring.cli.main import root
from tests.cli.golden_page import commands, replayed
from tests.cli.processes import dev, note
from tools.environment import ROOT

FOLDER = Path(__file__).parent / "golden"
WRITE = os.environ.get("MAINSPRING_GOLDEN") == "write"
HELP = (ROOT / "docs" / "reference" / "cli.md").read_text()
PAGES = sorted(path.stem for path in FOLDER.glob("*.txt"))
ENDLESS = {"dev", "server", "worker"}
"""These run until they are stopped; only their help is compared."""
OF_MACHINE = {"doctor"}
"""What this one finds differs from machine to machine."""

TASKS = '''
from mainspring import Queue, Retry, logger, step, task, wait


@task
async def hello(name: str = "world") -> str:
    """Say hello."""
    logger.info("saying hello", name=name)
    return f"Hello, {name}!"


@task(retry=Retry(max_attempts=1), queue=Queue("narrow", concurrency_limit=2))
async def fail() -> None:
    raise ValueError("not today")


async def double(number: int) -> int:
    return number * 2


@task
async def steps(number: int) -> int:
    once = await step("once", double, number)
    return await step("twice", double, once)


@task
async def many(count: int) -> int:
    """Make a batch."""
    return len(await hello.batch_trigger([hello.call(str(n)) for n in range(count)]))


@task
async def chat() -> str:
    return await wait.input("chat")
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running `mainspring dev`, with nothing in it but what pages put there."""
    folder = tmp_path_factory.mktemp("golden")
    with dev(folder, tasks=TASKS):
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_commands_print_what_their_page_says(
    name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = note(place)
    for variable in [each for each in os.environ if each.startswith("MAINSPRING_")]:
        monkeypatch.delenv(variable)
    for variable, value in {
        "MAINSPRING_URL": server["url"], "MAINSPRING_SECRET_KEY": server["key"],
        "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "160", "NO_COLOR": "1", "TERM": "xterm",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    path = FOLDER / f"{name}.txt"
    known = {
        "KEY": server["key"],
        "URL": server["url"],
        "HERE": str(tmp_path),
        "FOLDER": str(place),
    }
    known["DATABASE"] = str(place / ".mainspring" / "state.db")
    page = path.read_text()
    now = replayed(page, known)
    if WRITE:
        path.write_text(page := now)
    assert now == page, "If that is right: MAINSPRING_GOLDEN=write, and look at the difference."


def every_command(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:
    """Each command by its path, and whether it can print JSON."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, LazyGroup):
            yield from every_command(command, (*path, name))
        elif command is not None:
            yield " ".join((*path, name)), any("--json" in it.opts for it in command.params)


def test_no_command_is_without_its_page() -> None:
    assert isinstance(root, LazyGroup)
    typed = [line for name in PAGES for line in commands((FOLDER / f"{name}.txt").read_text())]
    lacking = []
    for command, prints_json in every_command(root):
        mine = [line for line in typed if f"{line} ".startswith(f"mainspring {command} ")]
        with_json = ["--json" in line.split() for line in mine]
        if command in ENDLESS:
            continue
        needs = {False, True} if prints_json and command not in OF_MACHINE else {False}
        if not needs <= set(with_json):
            lacking.append(command)
        if f"mainspring {command}" not in HELP:
            lacking.append(f"{command} --help (./dev docs)")
    assert not lacking, (
        "Type each of these, once as it is and once with --json, into a page of tests/cli/golden, "
        f"and run with MAINSPRING_GOLDEN=write: {', '.join(lacking)}"
    )
