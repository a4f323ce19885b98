"""`mainspring keys create`: one more key."""

from __future__ import annotations

import click

from mainspring.cli import columns
from mainspring.cli.books import Books, keeping
from mainspring.model.duration import milliseconds
from mainspring.model.key import check_key


@click.command("create")
@click.option("--environment", required=True, help="Whose key it is: dev, stg, prod, preview-….")
@click.option("--label", default="", help="What it is for.")
@click.option("--scope", multiple=True, help="Only this, such as read:runs or trigger:tasks:mail.")
@click.option("--expires-in", help="Such as 90d. Default: never.")
@keeping
async def command(
    books: Books, *, environment: str, label: str, scope: tuple[str, ...], expires_in: str | None
) -> None:
    """Make a secret key and print it. It is shown this once; the database keeps a hash of it.

    Without --scope it may do everything in its environment.
    """
    env = await books.environment(environment)
    ends = None if expires_in is None else books.now + milliseconds(expires_in, "--expires-in")
    row, key = await books.keys.create(env, label, scope, ends)
    check_key(key)
    tell(books, {"id": row.key_id, "environment": env.slug, "key": key}, "key")


def tell(books: Books, item: dict[str, str], secret: str) -> None:
    """Print what was made; with -q the secret alone."""
    books.out.one(item, {name: columns.text(name) for name in item}, ident=secret)
    books.out.note("Keep it now: it is not shown again.")
