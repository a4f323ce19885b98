"""`mainspring batches get`: one batch."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.calls import RetrieveBatch


@click.command("get")
@click.argument("batch_id", metavar="ID")
@talking
async def command(talk: Talk, batch_id: str) -> None:
    """Show one batch with the runs of its first 1,000 items, and the items that became no run.

    Its runs as a list: mainspring runs ls --batch ID
    """
    found = items.batch(await talk.ask(RetrieveBatch(batch_id)))
    talk.out.one(found, columns.BATCH_SHEET, ident="id")
