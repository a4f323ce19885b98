"""`mainspring schedules deactivate`: no ticks until it is activated."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.operating import SwitchSchedule


@click.command("deactivate")
@click.argument("schedule_id")
@talking
async def command(talk: Talk, schedule_id: str) -> None:
    """Let a schedule rest until it is activated."""
    found = await talk.ask(SwitchSchedule(schedule_id, active=False))
    talk.out.many([items.schedule(found)], columns.SCHEDULE, ident="id", empty="")
