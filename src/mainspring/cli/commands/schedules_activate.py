"""`mainspring schedules activate`: ticks again."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.operating import SwitchSchedule


@click.command("activate")
@click.argument("schedule_id")
@talking
async def command(talk: Talk, schedule_id: str) -> None:
    """Let a schedule go on. What it has missed while it rested is not caught up with."""
    found = await talk.ask(SwitchSchedule(schedule_id, active=True))
    talk.out.many([items.schedule(found)], columns.SCHEDULE, ident="id", empty="")
