"""`mainspring environments pause`: hold the environment."""

from __future__ import annotations

import click

from mainspring.cli import columns
from mainspring.cli.connection import Talk, talking
from mainspring.wire import environments as wire
from mainspring.wire.operating import PauseEnvironment


@click.command("pause")
@talking
async def command(talk: Talk) -> None:
    """Start no more runs of the environment. Runs that execute go on."""
    found = wire.shown(await talk.ask(PauseEnvironment(True)))
    talk.out.one(found, columns.ENVIRONMENT, ident="name")
