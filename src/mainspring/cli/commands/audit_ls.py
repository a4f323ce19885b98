"""`mainspring audit ls`: who did what."""

from __future__ import annotations

from typing import Final

import click

from mainspring.cli import columns
from mainspring.cli.books import Books, keeping
from mainspring.cli.item import Columns
from mainspring.wire.moments import iso

_COLUMNS: Final[Columns] = {
    "NUMBER": columns.text("number"),
    "WHEN": columns.when("at"),
    "WHO": columns.text("who"),
    "WHAT": columns.text("what"),
    "OF": columns.text("target"),
    "ENVIRONMENT": columns.text("environment"),
    "FROM": columns.text("origin"),
}


@click.command("ls")
@click.option("--after", default=0, help="Only entries with greater numbers.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000))
@keeping
async def command(books: Books, *, after: int, limit: int) -> None:
    """List the entries of the audit log, the oldest first."""
    slugs = await books.slugs()
    items = [
        {
            "number": link.number,
            "at": iso(link.at),
            "who": link.who,
            "what": link.what,
            "target": link.target,
            "environment": slugs.get(link.env_id),
            "origin": link.origin,
            "requestId": link.request_id,
        }
        for link in await books.store.access.log.page(after, limit)
    ]
    books.out.many(items, _COLUMNS, ident="number", empty="No entries.")
    if len(items) == limit:
        books.out.note(f"More: --after {items[-1]['number']}")
