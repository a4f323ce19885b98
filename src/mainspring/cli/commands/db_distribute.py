"""`mainspring db distribute`: run data spread over the nodes of a Citus cluster."""

from __future__ import annotations

import asyncio

import click

from mainspring.app import stores
from mainspring.app.stores import Location
from mainspring.cli.database import database_option


@click.command("distribute")
@click.option("--dry-run", is_flag=True, help="Only print the SQL; nothing is changed.")
@click.option(
    "--parts",
    type=click.IntRange(1, 1024),
    default=32,
    show_default=True,
    help="Into how many, for life; a shard is in one.",
)
@database_option
def command(place: Location, *, dry_run: bool, parts: int) -> None:
    """Spread run data over the nodes of a Citus cluster, by shard. Repeating it does nothing.

    Servers wait while rows are copied; restart them before, when the extension is new, as
    docs/scale.md says. Small tables are copied to each node.
    """
    statements = asyncio.run(stores.distribute(place, parts, apply=not dry_run))
    if dry_run:
        for statement in statements:
            click.echo(f"{statement};")
    elif statements:
        click.echo(f"{place.shown} is distributed. Next: SELECT citus_rebalance_start()")
    if not statements:
        click.echo(f"{place.shown} is distributed already.", err=dry_run)
