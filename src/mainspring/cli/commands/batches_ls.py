"""`mainspring batches ls`: batches, newest first."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.observing import BatchPage, ListBatches

_PAGE = 100


@click.command("ls")
@click.option("--after", help="Older than this id, to go on from the last one shown.")
@click.option("--limit", default=25, show_default=True, type=click.IntRange(1, 100_000))
@talking
async def command(talk: Talk, *, after: str | None, limit: int) -> None:
    """List batches, newest first: how many items they have and how many of those are over."""
    found, left = [], limit
    while left > 0:
        page: BatchPage = await talk.ask(ListBatches(after=after, limit=min(left, _PAGE)))
        found += page.batches
        left -= len(page.batches)
        after = page.next
        if after is None:
            break
    talk.out.many(map(items.batch_brief, found), columns.BATCH, ident="id", empty="No batches.")
    if after is not None:
        talk.out.note(f"More: --after {after}")
