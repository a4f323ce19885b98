"""A development server for a module of commands that only talk to one, and a way to run them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mainspring.cli.main import root
from tests.cli.processes import dev, note

TASKS = '''
import asyncio
import logging

from mainspring import Context, Queue, Retry, logger, task


@task
async def hello(name: str = "world") -> str:
    """Say hello."""
    logger.info("saying hello", name=name)
    print("printed")
    return f"Hello, {name}!"


@task(retry=Retry(max_attempts=1))
async def fail() -> None:
    raise ValueError("not today")


@task(queue=Queue("narrow", concurrency_limit=2))
async def forever(ctx: Context) -> None:
    await asyncio.Event().wait()
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running `mainspring dev`: url and key. It ends with the module, because in ten minutes a
    server that nobody asks takes as much as several starts of one.
    """
    folder = tmp_path_factory.mktemp("dev")
    with dev(folder, tasks=TASKS):
        yield note(folder)


Command = Callable[..., Result]


@pytest.fixture
def ms(server: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `mainspring` with these arguments, as in a shell that knows the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAINSPRING_URL", server["url"])
    monkeypatch.setenv("MAINSPRING_SECRET_KEY", server["key"])

    def run(*arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(root, arguments, input=text)

    return run


@pytest.fixture
def triggered(ms: Command) -> Callable[..., str]:
    """Trigger a run and give back its id."""

    def trigger(*arguments: str) -> str:
        result = ms("tasks", "trigger", *arguments, "-q")
        assert result.exit_code == 0, result.stderr
        return result.stdout.strip()

    return trigger
