"""`mainspring deploys ls`: the versions of the code."""

from __future__ import annotations

import click

from mainspring.cli import deployments
from mainspring.cli.connection import Talk, talking
from mainspring.wire.operating import DeploymentPage, ListDeployments


@click.command("ls")
@click.option("--limit", default=25, show_default=True, type=click.IntRange(1, 100))
@talking
async def command(talk: Talk, *, limit: int) -> None:
    """List the versions of the code, newest first."""
    page: DeploymentPage = await talk.ask(ListDeployments(limit=limit))
    talk.out.many(
        [deployments.item(one) for one in page.deployments],
        deployments.COLUMNS,
        ident="version",
        empty="Nothing was deployed here yet: mainspring deploy",
    )
