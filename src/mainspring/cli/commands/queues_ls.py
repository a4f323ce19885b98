"""`mainspring queues ls`: every queue as it stands."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.calls import ListQueues


@click.command("ls")
@talking
async def command(talk: Talk) -> None:
    """List the queues with what waits and runs in them, and their limits."""
    answer = await talk.ask(ListQueues())
    talk.out.many(
        map(items.queue, answer.queues),
        columns.QUEUE,
        ident="queue",
        empty="No queues yet: a queue appears with the first task that uses it.",
    )
