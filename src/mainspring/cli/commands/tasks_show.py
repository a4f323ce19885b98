"""`mainspring tasks show`: one task."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import task_named


@click.command("show")
@click.argument("task_id", metavar="TASK")
@talking
async def command(talk: Talk, task_id: str) -> None:
    """Show one task: its file, queue, retries and the JSON Schema of its payload."""
    task = await task_named(talk, task_id)
    talk.out.one(items.task(task), columns.TASK_SHEET, ident="id")
