"""`mainspring env import`: set the variables of a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mainspring.cli import columns
from mainspring.cli.connection import Talk, talking
from mainspring.settings import dotenv
from mainspring.wire.calls import SetVariables


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--override", is_flag=True, help="Replace those that exist; else nothing is set.")
@click.option("--secret", is_flag=True, help="Never show the values again.")
@click.option("--parent", is_flag=True, help="Set them for all preview branches.")
@talking
async def command(talk: Talk, file: str, *, override: bool, secret: bool, parent: bool) -> None:
    """Set the variables of a file such as .env, all or none; - is standard input."""
    standard = file == "-"
    values = dotenv.parse(sys.stdin.read(), "input") if standard else dotenv.read(Path(file))
    answer = await talk.ask(
        SetVariables(
            {} if parent else values,
            "any" if override else "new",
            True if secret else None,
            values if parent else {},
        )
    )
    rows = [{"name": name} for name in values]
    talk.out.many(rows, columns.NAMES, ident="name", empty="")
    talk.out.note(f"Variables set: {answer.count}.")
