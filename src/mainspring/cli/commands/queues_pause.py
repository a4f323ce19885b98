"""`mainspring queues pause`: hold a queue."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import queue_named
from mainspring.wire.calls import PauseQueue


@click.command("pause")
@click.argument("name")
@talking
async def command(talk: Talk, name: str) -> None:
    """Start no more runs of a queue. Runs that execute go on.

    NAME is the queue's, or that of a task with a queue of its own.
    """
    queue = await queue_named(talk, name)
    answer = await talk.ask(PauseQueue(queue.name, paused=True))
    talk.out.many([items.queue(answer)], columns.QUEUE, ident="queue", empty="")
