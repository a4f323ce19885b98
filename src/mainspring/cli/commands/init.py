"""`mainspring init`: a first task file and its test. Existing files are never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from mainspring.errors import ConfigurationError

TASKS: Final = '''"""Tasks of this project. `mainspring dev` finds them and reloads them."""

import asyncio

from mainspring import Retry, logger, task


@task
async def hello(name: str = "world") -> str:
    """Say hello."""
    logger.info("saying hello", name=name)
    return f"Hello, {name}!"


@task(retry=Retry(max_attempts=5, min_delay=1))
async def greet_everyone(names: list[str]) -> list[str]:
    """Greet several people at once, each in a run of its own."""
    handles = await hello.batch_trigger([hello.call(name) for name in names])
    return await asyncio.gather(*(handle.result() for handle in handles))
'''

TEST: Final = '''"""Tests of tasks.py; run them with `pytest`."""

import asyncio

from tasks import greet_everyone, hello


def test_hello_greets_by_name() -> None:
    assert asyncio.run(hello.local("Ada")) == "Hello, Ada!"


def test_everyone_is_greeted_in_a_run_of_their_own(jobs) -> None:
    # `jobs` is a real engine in this process, with a clock that only the test moves
    async def scenario() -> list[str]:
        handle = await greet_everyone.trigger(["Ada", "Bob"])
        return await handle.result()

    assert asyncio.run(scenario()) == ["Hello, Ada!", "Hello, Bob!"]
    jobs.assert_triggered(hello, name="Bob")
'''

FILES: Final = {"tasks.py": TASKS, "test_tasks.py": TEST}


@click.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write tasks.py and test_tasks.py into FOLDER (default: here).

    A file that exists is kept as it is.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            _write(folder / name, text)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written: {error}. Choose a folder of your own."
        ) from error
    step = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"Next: {step}mainspring dev")
    click.echo("Then, in a second terminal:")
    click.echo("""  mainspring tasks trigger hello --payload '{"name": "Ada"}' --wait""")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        click.echo(f"kept   {path} (it exists)")
    else:
        click.echo(f"wrote  {path}")
