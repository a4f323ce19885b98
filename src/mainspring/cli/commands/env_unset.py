"""`mainspring env unset`: remove variables."""

from __future__ import annotations

import click

from mainspring.cli import columns
from mainspring.cli.connection import Talk, talking
from mainspring.wire.calls import DropVariable


@click.command("unset")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@talking
async def command(talk: Talk, names: tuple[str, ...]) -> None:
    """Remove variables; worker processes that run keep what they have."""
    removed = []
    try:
        for name in names:
            await talk.ask(DropVariable(name))
            removed.append({"name": name})
    finally:  # what is gone is told, also when a later one does not exist
        if removed:
            talk.out.many(removed, columns.NAMES, ident="name", empty="")
