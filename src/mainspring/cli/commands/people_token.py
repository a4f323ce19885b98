"""`mainspring people token`: another personal token, or the end of all."""

from __future__ import annotations

import click

from mainspring.cli.books import Books, keeping
from mainspring.cli.commands.keys_create import tell
from mainspring.model.duration import milliseconds


@click.command("token")
@click.argument("name")
@click.option("--expires-in", help="Such as 90d. Default: never.")
@click.option("--revoke", is_flag=True, help="End all tokens of the person, and make none.")
@keeping
async def command(books: Books, *, name: str, expires_in: str | None, revoke: bool) -> None:
    """Make one more personal token for a person and print it; it is shown this once."""
    if revoke:
        await books.people.sign_out(name)
        books.out.one(
            {"name": name, "tokens": 0},
            {"person": lambda _: name, "tokens": lambda _: "none"},
            ident="name",
        )
        return
    ends = None if expires_in is None else books.now + milliseconds(expires_in, "--expires-in")
    token = await books.people.token(name, ends)
    tell(books, {"name": name, "token": token}, "token")
