"""The command itself: help, imports, wrong use, and what an unexpected error looks like."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mainspring import __version__
from mainspring.cli import commands
from mainspring.cli.catalog import CATALOG, children
from mainspring.cli.faults import UNEXPECTED, USAGE
from mainspring.cli.lazy import LazyGroup
from mainspring.cli.main import Root, root

COMMANDS = [name for name in CATALOG if not children(tuple(name.split()))]
SERVER_SIDE = ("app", "server", "engine", "store", "dispatch", "worker", "testing")
OURS = {f"mainspring.{room}" for room in SERVER_SIDE}
HEAVY = (
    "rich",
    "asyncio",
    "ssl",
    "uvicorn",
    "starlette",
    "httpx2",
    "apsw",
    "asyncpg",
    "websockets",
    "watchfiles",
)


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def modules_after(*arguments: str) -> set[str]:
    """The modules that a fresh interpreter has imported once the command is over."""
    program = (
        "import sys\n"
        "from mainspring.cli.main import root\n"
        "try:\n    root.main(sys.argv[1:])\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode <= 4, ran.stderr  # a refusal loads no more than an answer
    return set(ran.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["runs", "--help"]])
def test_version_and_help_import_neither_server_nor_heavy_packages(arguments: list[str]) -> None:
    imported = modules_after(*arguments)
    assert imported & (OURS | set(HEAVY)) == set()
    assert not any(name.startswith("mainspring.cli.commands") for name in imported)
    assert len(imported) < 140


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "ls", "--help"],
        ["schedules", "ls", "--help"],
        ["deploys", "ls", "--help"],
        ["env", "set", "--help"],
        ["profiles", "ls"],
        ["config", "show"],
    ],
)
def test_commands_import_no_server_and_nothing_heavy_to_begin(arguments: list[str]) -> None:
    imported = modules_after(*arguments)
    assert imported & (OURS | set(HEAVY)) == set()
    assert len(imported) < 230


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        "runs ls", "runs get run_x", "runs logs run_x", "tasks ls", "tasks trigger hello",
        "schedules ls", "schedules create hello @hourly", "env ls", "queues ls", "deploys ls",
        "tokens ls", "batches ls", "events emit nothing", "environments show", "promote nothing",
        "rollback", "whoami",
    ],
)  # fmt: skip
def test_to_ask_a_server_takes_no_event_loop_and_nothing_else_that_is_slow_to_load(
    arguments: str, server: dict[str, str]
) -> None:
    """Each module costs time: of these many a command takes less than 200 ms of a processor."""
    typed = [*arguments.split(), "--url", server["url"], "--key", server["key"]]
    imported = modules_after(*typed)
    assert imported & {*HEAVY, "http.client", "urllib.request", "httpcore2", "h11", *OURS} == set()
    assert len(imported) < 230


def test_help_lists_every_command_with_its_line(runner: CliRunner) -> None:
    result = runner.invoke(root, ["--help"])
    assert result.exit_code == 0
    assert [name for name in children(()) if f"  {name} " not in result.output] == []
    assert CATALOG["doctor"] in result.output


def test_a_group_alone_shows_its_help(runner: CliRunner) -> None:
    result = runner.invoke(root, ["runs"])
    assert result.exit_code == 0
    assert CATALOG["runs explain"] in result.output


def test_the_catalog_and_the_files_of_commands_are_the_same() -> None:
    folder = Path(next(iter(commands.__path__)))
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == {name.replace(" ", "_") for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_options(name: str, runner: CliRunner) -> None:
    result = runner.invoke(root, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: root {name}")
    context = click.Context(root)
    command: click.Command | None = root
    for part in name.split():
        assert isinstance(command, LazyGroup)
        command = command.get_command(context, part)
    assert command is not None
    assert command.name == name.split()[-1]


def test_version_prints_the_version(runner: CliRunner) -> None:
    assert runner.invoke(root, ["--version"]).output == f"mainspring {__version__}\n"


def test_a_misspelt_command_is_answered_with_the_nearest(runner: CliRunner) -> None:
    result = runner.invoke(root, ["rnus"])
    assert result.exit_code == USAGE
    assert "no command 'rnus'. Did you mean runs?" in result.stderr
    assert "Next: " in result.stderr


def test_a_wrong_option_names_the_help_of_its_command(runner: CliRunner) -> None:
    result = runner.invoke(root, ["runs", "ls", "--limit", "none"])
    assert result.exit_code == USAGE
    assert "none" in result.stderr
    assert "Next: root runs ls --help" in result.stderr


class Broken(Root):
    """The command with a defect of ours in every subcommand."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        @click.command(cmd_name)
        def command() -> None:
            raise ZeroDivisionError("a defect")

        return command


def test_an_unexpected_error_is_words_without_a_traceback(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAINSPRING_DEBUG", raising=False)
    result = runner.invoke(Broken(params=root.params), ["runs"])
    assert result.exit_code == UNEXPECTED
    assert "Unexpected ZeroDivisionError: a defect" in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback_of_an_unexpected_error(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_DEBUG", "")
    result = runner.invoke(Broken(params=root.params), ["--debug", "runs"])
    assert result.exit_code == UNEXPECTED
    assert "Traceback" in result.stderr
