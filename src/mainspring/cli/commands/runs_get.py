"""`mainspring runs get`: everything about one run."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.wire.calls import Retrieve


@click.command("get")
@click.argument("run_id", metavar="ID")
@talking
async def command(talk: Talk, run_id: str) -> None:
    """Show one run with its payload and output.

    ID may be the beginning or the end of a recent run's id, if only one fits.
    """
    run = await talk.ask(Retrieve(await full_id(talk, run_id)))
    talk.out.one(items.run(run), columns.RUN_SHEET, ident="id")
