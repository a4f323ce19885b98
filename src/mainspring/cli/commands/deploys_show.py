"""`mainspring deploys show`: one version of the code."""

from __future__ import annotations

import click

from mainspring.cli import deployments
from mainspring.cli.connection import Talk, talking
from mainspring.wire.deploying import GetDeployment


@click.command("show")
@click.argument("version")
@talking
async def command(talk: Talk, version: str) -> None:
    """Show a version with its tasks, queues and schedules."""
    answer = await talk.ask(GetDeployment(version))
    talk.out.one(deployments.detailed(answer), deployments.SHEET, ident="version")
