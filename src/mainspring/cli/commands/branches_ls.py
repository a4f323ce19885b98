"""`mainspring branches ls`: the branches of preview."""

from __future__ import annotations

import click

from mainspring.cli import columns, deployments
from mainspring.cli.connection import Talk, talking
from mainspring.model.branch import PREVIEW
from mainspring.wire.environments import ListBranches


@click.command("ls")
@talking
async def command(talk: Talk) -> None:
    """List the branches of preview, each an environment of its own.

    It takes a key of preview, or a personal token.
    """
    async with deployments.of_environment(talk, PREVIEW) as preview:
        rows = [{"name": slug} for slug in (await preview.ask(ListBranches())).branches]
    talk.out.many(rows, columns.NAMES, ident="name", empty="There are no branches.")
