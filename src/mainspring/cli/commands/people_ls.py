"""`mainspring people ls`: who there is."""

from __future__ import annotations

from typing import Final

import click

from mainspring.cli import columns
from mainspring.cli.books import Books, keeping
from mainspring.cli.item import Columns
from mainspring.wire.moments import iso

_COLUMNS: Final[Columns] = {
    "NAME": columns.text("name"),
    "ROLE": columns.text("role"),
    "ENVIRONMENT": columns.text("environment"),
    "TOKENS": columns.text("tokens"),
    "ADDED": columns.when("createdAt"),
}


@click.command("ls")
@keeping
async def command(books: Books) -> None:
    """List people with each of their roles."""
    items = [
        {
            "name": member.name,
            "role": member.role or None,
            "environment": (member.slug or "all") if member.role else None,
            "tokens": member.tokens,
            "createdAt": iso(member.created_at),
        }
        for member in await books.store.access.people.members()
    ]
    books.out.many(items, _COLUMNS, ident="name", empty="Nobody yet: mainspring people add.")
