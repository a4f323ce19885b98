"""`mainspring people role`: what somebody may do."""

from __future__ import annotations

import click

from mainspring.cli.books import Books, keeping
from mainspring.model.role import ROLES


@click.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([*ROLES, "none"]))
@click.option("--environment", help="Where. Default: in all environments.")
@keeping
async def command(books: Books, *, name: str, role: str, environment: str | None) -> None:
    """Give a person another role, or none.

    A role in one environment counts there before a role in all.
    """
    env = None if environment is None else await books.environment(environment)
    await books.people.give(name, "" if role == "none" else role, env)
    where = environment or "all"
    books.out.one(
        {"name": name, "role": role, "environment": where},
        {"person": lambda _: name, "role": lambda _: role, "environment": lambda _: where},
        ident="name",
    )
