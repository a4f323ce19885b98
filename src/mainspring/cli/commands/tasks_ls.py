"""`mainspring tasks ls`: what workers have registered."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.calls import ListTasks


@click.command("ls")
@talking
async def command(talk: Talk) -> None:
    """List the tasks that workers of this environment have registered."""
    answer = await talk.ask(ListTasks())
    talk.out.many(
        map(items.task, answer.tasks),
        columns.TASK,
        ident="id",
        empty="No tasks yet. Start a worker in the folder of your tasks, or run mainspring init.",
    )
