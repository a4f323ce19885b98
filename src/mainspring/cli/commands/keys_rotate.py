"""`mainspring keys rotate`: a new key in place of an old one, which goes on for a while."""

from __future__ import annotations

import click

from mainspring.cli.books import Books, keeping
from mainspring.cli.commands.keys_create import tell
from mainspring.model.duration import milliseconds


@click.command("rotate")
@click.argument("key_id", metavar="ID", required=False)
@click.option("--signing", metavar="ENVIRONMENT", help="What signs its public tokens, instead.")
@click.option("--grace", default="24h", show_default=True, help="How long the old one goes on; 0s.")
@keeping
async def command(books: Books, *, key_id: str | None, signing: str | None, grace: str) -> None:
    """Make a new key with the label and scopes of an old one, and print it.

    The old key, and the public tokens made in its name, go on for --grace. With --signing no key is
    replaced but what the environment signs its public tokens with: all that exist end after the
    grace.
    """
    grace_ms = milliseconds(grace, "--grace")
    if (key_id is None) == (signing is None):
        raise click.UsageError("Give the ID of a key, or --signing with an environment.")
    if signing is not None:
        number = await books.keys.rotate_signing(await books.environment(signing), grace_ms)
        books.out.one(
            {"environment": signing, "signing": number},
            {"environment": lambda _: signing, "signing key": lambda _: str(number)},
            ident="signing",
        )
        return
    assert key_id is not None
    env = await books.environment_of_key(key_id)
    row, key = await books.keys.rotate(env, key_id, grace_ms)
    tell(books, {"id": row.key_id, "environment": env.slug, "key": key}, "key")
