"""`mainspring rollback`: new runs get the version before."""

from __future__ import annotations

import click

from mainspring.cli import deployments
from mainspring.cli.connection import Talk, talking
from mainspring.wire.deploying import Rollback


@click.command("rollback")
@talking
async def command(talk: Talk) -> None:
    """Let new runs get the version that was promoted before this one.

    It is the one that was deployed last before the current version and was current once. Runs that
    have started keep their version. `mainspring promote VERSION` takes any other one.
    """
    answer = await talk.ask(Rollback())
    talk.out.one(deployments.item(answer), deployments.COLUMNS, ident="version")
