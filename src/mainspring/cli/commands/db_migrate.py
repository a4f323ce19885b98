"""`mainspring db migrate`: the schema of this release."""

from __future__ import annotations

import asyncio
from typing import cast

import click

from mainspring.app import stores
from mainspring.app.stores import Location
from mainspring.cli.database import database_option
from mainspring.store.migrations import Phase


@click.command("migrate")
@click.option(
    "--phase",
    type=click.Choice(["pre", "post", "all"]),
    default="all",
    show_default=True,
    help="pre: before the new release starts; post: when the last old server is gone.",
)
@database_option
def command(place: Location, phase: str) -> None:
    """Bring the database to this release's schema. Repeating it does nothing.

    A SQLite database is migrated by its server at start; PostgreSQL is migrated only here.
    """
    names = asyncio.run(stores.migrate(place, cast(Phase, phase)))
    for name in names:
        click.echo(f"applied {name}")
    if not names:
        click.echo(f"{place.shown} is up to date.")
