"""`mainspring environments resume`: let the environment go on."""

from __future__ import annotations

import click

from mainspring.cli import columns
from mainspring.cli.connection import Talk, talking
from mainspring.wire import environments as wire
from mainspring.wire.operating import PauseEnvironment


@click.command("resume")
@talking
async def command(talk: Talk) -> None:
    """Start runs of a paused environment again."""
    found = wire.shown(await talk.ask(PauseEnvironment(False)))
    talk.out.one(found, columns.ENVIRONMENT, ident="name")
