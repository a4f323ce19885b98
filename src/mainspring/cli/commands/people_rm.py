"""`mainspring people rm`: somebody leaves."""

from __future__ import annotations

import click

from mainspring.cli.books import Books, keeping


@click.command("rm")
@click.argument("name")
@keeping
async def command(books: Books, *, name: str) -> None:
    """Remove a person with all roles and tokens, on every server within 5 s."""
    await books.people.remove(name)
    books.out.one({"name": name}, {"removed": lambda _: name}, ident="name")
