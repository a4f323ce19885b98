"""`mainspring env set`: make or change variables."""

from __future__ import annotations

import sys

import click

from mainspring.cli import columns
from mainspring.cli.connection import Talk, talking
from mainspring.wire.calls import SetVariables


@click.command("set")
@click.argument("pairs", metavar="NAME[=VALUE]...", nargs=-1, required=True)
@click.option("--secret", is_flag=True, help="Never show the values again.")
@talking
async def command(talk: Talk, pairs: tuple[str, ...], *, secret: bool) -> None:
    """Make or change variables; worker processes that start from now on have them.

    Without =VALUE it is asked for, or read from standard input, and stays out of the shell's
    history: mainspring env set --secret API_TOKEN
    """
    values = dict(_pair(text) for text in pairs)
    await talk.ask(SetVariables(values, secret=True if secret else None))
    rows = [{"name": name} for name in values]
    talk.out.many(rows, columns.NAMES, ident="name", empty="")
    talk.out.note("Worker processes that start from now on have them.")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if sign:
        return name, value
    if sys.stdin.isatty():
        return name, click.prompt(name, hide_input=True)
    value = sys.stdin.read().removesuffix("\n")
    if not value:
        raise click.UsageError(f"Nothing came on standard input. An empty value is {name}= .")
    return name, value
