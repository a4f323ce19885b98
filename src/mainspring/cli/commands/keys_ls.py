"""`mainspring keys ls`: which keys there are."""

from __future__ import annotations

from typing import Any, Final

import click
import msgspec

from mainspring.cli import columns
from mainspring.cli.books import Books, keeping
from mainspring.cli.item import Columns
from mainspring.server.api.keys import shown

COLUMNS: Final[Columns] = {
    "ID": columns.text("id"),
    "LABEL": columns.text("label"),
    "ENVIRONMENT": columns.text("environment"),
    "STATE": columns.text("state"),
    "ENDS IN": lambda item: f"…{item['lastFour']}" if item["lastFour"] else "",
    "EXPIRES": columns.when("expiresAt"),
    "LAST USED": columns.when("lastUsedAt"),
    "SCOPES": columns.words("scopes"),
    "CREATED": columns.when("createdAt"),
}


@click.command("ls")
@click.option("--environment", help="Only keys of this environment.")
@click.option("--all", "every", is_flag=True, help="Also keys that are revoked or have expired.")
@keeping
async def command(books: Books, *, environment: str | None, every: bool) -> None:
    """List the secret keys, of which only the last four characters are known."""
    env_id = 0 if environment is None else (await books.environment(environment)).env_id
    slugs = await books.slugs()
    items: list[dict[str, Any]] = []
    for row in await books.store.access.keys(env_id):
        if row.works(books.now) or every:
            state = "works" if row.works(books.now) else "revoked" if row.revoked_at else "expired"
            key = shown(row, slugs.get(row.env_id, ""))
            items.append(msgspec.to_builtins(key) | {"state": state})
    books.out.many(items, COLUMNS, ident="id", empty="No keys.")
