"""`mainspring queues set`: a limit over the one in the code."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import queue_named
from mainspring.wire.calls import SetQueue


@click.command("set")
@click.argument("name")
@click.option("--limit", type=click.IntRange(min=0), help="How many runs may execute at once.")
@click.option("--reset", is_flag=True, help="Back to the limit in the code.")
@talking
async def command(talk: Talk, name: str, *, limit: int | None, reset: bool) -> None:
    """Override the concurrency limit of a queue, until --reset; a worker's restart keeps it.

    NAME is the queue's, or that of a task with a queue of its own.
    """
    if reset == (limit is not None):
        raise click.UsageError("Give exactly one of --limit and --reset.")
    queue = await queue_named(talk, name)
    answer = await talk.ask(SetQueue(queue.name, limit=limit, reset=reset))
    talk.out.many([items.queue(answer)], columns.QUEUE, ident="queue", empty="")
