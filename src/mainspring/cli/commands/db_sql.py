"""`mainspring db sql`: the schema as text, for people who review or apply it by hand."""

from __future__ import annotations

import asyncio
from typing import cast

import click

from mainspring.app import stores
from mainspring.app.stores import Location
from mainspring.cli.database import database_option
from mainspring.store.migrations import Phase


@click.command("sql")
@click.option("--phase", type=click.Choice(["pre", "post", "all"]), default="all")
@click.option("--pending", is_flag=True, help="Only what this database still lacks; connects.")
@database_option
def command(place: Location, *, phase: str, pending: bool) -> None:
    """Print the SQL that `db migrate` would run, without running it."""
    applied = asyncio.run(stores.schema(place)) if pending else []
    click.echo(stores.script(place, applied, cast(Phase, phase)), nl=False)
