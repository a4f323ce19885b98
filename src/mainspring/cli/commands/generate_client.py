"""`mainspring generate client`: types of the registered tasks, for programs without their code."""

from __future__ import annotations

import importlib
from typing import IO

import click

from mainspring.cli.connection import Talk, talking
from mainspring.cli.typed import shapes
from mainspring.wire.calls import ListTasks

LANGUAGES = ("python", "typescript")


@click.command("client")
@click.option(
    "--out",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    help="The file. Default: standard output.",
)
@click.option("--language", type=click.Choice(LANGUAGES), help="Default: python.")
@talking
async def command(talk: Talk, *, out: IO[str], language: str | None) -> None:
    """Write a module with the payloads and results of the tasks of an environment, as types.

    The same tasks give the same text. Tasks are those that workers have registered.
    """
    types = shapes.read((await talk.ask(ListTasks())).tasks)
    written = importlib.import_module(f"mainspring.cli.typed.{language or LANGUAGES[0]}")
    text: str = written.write(types)
    out.write(text)
    talk.out.note(f"{len(types.tasks)} tasks")
