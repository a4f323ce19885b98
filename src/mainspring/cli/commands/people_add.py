"""`mainspring people add`: somebody new."""

from __future__ import annotations

import click

from mainspring.cli.books import Books, keeping
from mainspring.cli.commands.keys_create import tell
from mainspring.model.role import ROLES


@click.command("add")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What the person may do.")
@click.option("--environment", help="Where. Default: in all environments.")
@keeping
async def command(books: Books, *, name: str, role: str, environment: str | None) -> None:
    """Add a person with a role, and print a personal token, which is shown this once.

    A viewer sees; an operator also cancels, replays and pauses; a developer also triggers and
    deploys; an admin also manages keys, secrets and people.
    """
    env = None if environment is None else await books.environment(environment)
    token = await books.people.add(name, role, env)
    tell(books, {"name": name, "role": role, "token": token}, "token")
