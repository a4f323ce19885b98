"""`mainspring env ls`: the variables that workers get."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.calls import ListVariables


@click.command("ls")
@talking
async def command(talk: Talk) -> None:
    """List the variables that workers of the environment get at their start.

    The value of a secret is never shown.
    """
    answer = await talk.ask(ListVariables())
    rows = [items.variable(variable) for variable in answer.variables]
    talk.out.many(rows, columns.VARIABLE, ident="name", empty="There are no variables.")
