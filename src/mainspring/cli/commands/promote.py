"""`mainspring promote`: which version of the code new runs get."""

from __future__ import annotations

from typing import Final

import click

from mainspring.cli import deployments
from mainspring.cli.connection import Talk, talking
from mainspring.cli.item import Columns
from mainspring.wire.deploying import Promote

_NOTHING: Final[Columns] = {"current": lambda _: "none: any worker takes new runs"}


@click.command("promote")
@click.argument("version", required=False)
@click.option("--none", "nothing", is_flag=True, help="Let any worker take new runs again.")
@talking
async def command(talk: Talk, version: str | None, *, nothing: bool) -> None:
    """Let new runs get VERSION, from now on.

    So do runs that have not started yet. Those that have keep their version. VERSION may be the
    external id of a deployment, too.
    """
    if nothing == (version is not None):
        raise click.UsageError("Give a VERSION, or --none.")
    if version == "":
        raise click.UsageError("VERSION is empty. Give one, or --none to let any worker take runs.")
    answer = await talk.ask(Promote(version or ""))
    if nothing:
        talk.out.one({"version": ""}, _NOTHING, ident="version")
        return
    talk.out.one(deployments.item(answer), deployments.COLUMNS, ident="version")
