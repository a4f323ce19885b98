"""`mainspring people password`: a password for who has none, or has forgotten it."""

from __future__ import annotations

import sys

import click

from mainspring.cli.books import Books, keeping
from mainspring.clock import SystemClock
from mainspring.server.passwords import Passwords


@click.command("password")
@click.argument("name")
@keeping
async def command(books: Books, *, name: str) -> None:
    """Set the password of a person, who signs in to the dashboard with it.

    It is asked for twice, or read from standard input, and stays out of the shell's history. The
    sessions that the old one has begun go on; end them with `mainspring people token NAME --revoke`
    first.
    """
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.read().removesuffix("\n")
    await books.people.set_password(name, await Passwords(SystemClock()).hashed(password))
    books.out.one({"name": name}, {"password set": lambda _: name}, ident="name")
