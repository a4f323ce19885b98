"""`mainspring branches archive`: the end of a branch."""

from __future__ import annotations

import click

from mainspring.cli import columns, deployments
from mainspring.cli.connection import Talk, talking
from mainspring.wire import environments as wire


@click.command("archive")
@click.argument("branch")
@talking
async def command(talk: Talk, branch: str) -> None:
    """End the environment of a branch for good: its keys and schedules end, and nothing starts.

    What executes comes to its end. The name is free: a branch made anew under it begins with
    nothing.
    """
    async with deployments.of_environment(talk, None, branch) as there:
        found = wire.shown(await there.ask(wire.ArchiveEnvironment()))
    talk.out.one(found, columns.ENVIRONMENT, ident="name")
