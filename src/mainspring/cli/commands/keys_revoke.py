"""`mainspring keys revoke`: the end of a key."""

from __future__ import annotations

import click

from mainspring.cli.books import Books, keeping


@click.command("revoke")
@click.argument("key_id", metavar="ID")
@keeping
async def command(books: Books, *, key_id: str) -> None:
    """End a key, and the public tokens made in its name, on every server within 5 s."""
    row = await books.keys.revoke(await books.environment_of_key(key_id), key_id)
    books.out.one(
        {"id": row.key_id, "state": "revoked"},
        {"key": lambda item: str(item["id"]), "state": lambda item: str(item["state"])},
        ident="id",
    )
