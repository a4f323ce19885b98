"""`mainspring branches create`: an environment for a branch of the code."""

from __future__ import annotations

import click

from mainspring.cli import columns, deployments
from mainspring.cli.connection import Talk, talking
from mainspring.model.branch import PREVIEW
from mainspring.wire import environments as wire


@click.command("create")
@click.argument("branch")
@talking
async def command(talk: Talk, branch: str) -> None:
    """Make an environment for a branch of the code, if there is none.

    BRANCH is its name in Git. It has runs, queues, schedules, deployments and keys of its own, and
    the variables of preview under its own. A key of preview opens it as well: commands and workers
    with MAINSPRING_ENVIRONMENT=preview-NAME.
    """
    async with deployments.of_environment(talk, PREVIEW) as preview:
        found = wire.shown(await preview.ask(wire.CreateBranch(branch)))
    talk.out.one(found, columns.ENVIRONMENT, ident="name")
