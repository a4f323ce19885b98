"""`mainspring environments show`: the environment as a whole."""

from __future__ import annotations

import click

from mainspring.cli import columns
from mainspring.cli.connection import Talk, talking
from mainspring.wire import environments as wire


@click.command("show")
@talking
async def command(talk: Talk) -> None:
    """Show the environment of the key: whether it is paused, its limits, what runs and waits."""
    found = wire.shown(await talk.ask(wire.GetEnvironment()))
    talk.out.one(found, columns.ENVIRONMENT, ident="name")
