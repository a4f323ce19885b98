"""`mainspring schedules delete`: the end of a schedule."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.operating import DeleteSchedule


@click.command("delete")
@click.argument("schedule_id")
@talking
async def command(talk: Talk, schedule_id: str) -> None:
    """Delete a schedule; its runs stay. One that code declares is deleted there."""
    found = await talk.ask(DeleteSchedule(schedule_id))
    talk.out.many([items.schedule(found)], columns.SCHEDULE, ident="id", empty="")
