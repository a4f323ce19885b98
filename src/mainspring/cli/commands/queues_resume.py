"""`mainspring queues resume`: release a queue."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import queue_named
from mainspring.wire.calls import PauseQueue


@click.command("resume")
@click.argument("name")
@talking
async def command(talk: Talk, name: str) -> None:
    """Start runs of a paused queue again.

    NAME is the queue's, or that of a task with a queue of its own.
    """
    queue = await queue_named(talk, name)
    answer = await talk.ask(PauseQueue(queue.name, paused=False))
    talk.out.many([items.queue(answer)], columns.QUEUE, ident="queue", empty="")
