"""`mainspring schedules next`: when it will run."""

from __future__ import annotations

import click

from mainspring.cli import columns
from mainspring.cli.connection import Talk, talking
from mainspring.model.schedule import describe
from mainspring.wire.moments import iso
from mainspring.wire.operating import GetSchedule, NextTicks, Schedule, Ticks
from mainspring.wire.ticks import local


@click.command("next")
@click.argument("schedule")
@click.option("--timezone", default="UTC", help="The zone of an expression; UTC if not given.")
@click.option("--count", default=5, show_default=True, type=click.IntRange(1, 100))
@talking
async def command(talk: Talk, schedule: str, *, timezone: str, count: int) -> None:
    """Tell the next ticks of a schedule, by its id, or of an expression such as "0 9 * * MON-FRI".

    A schedule that is not active has none.
    """
    if schedule.startswith("sched_"):
        found: Schedule = await talk.ask(GetSchedule(schedule))
        request, timezone = NextTicks(found.id, count=count), found.timezone
        cron = found.cron
    else:
        cron = schedule
        request = NextTicks(cron=cron, timezone=timezone, count=count)
    ticks: Ticks = await talk.ask(request)
    talk.out.note(f"{describe(cron)}, {timezone}")
    shown = [{"at": iso(at), "local": local(at, timezone).isoformat()} for at in ticks.at]
    talk.out.many(shown, columns.TICK, ident="at", empty="No ticks: the schedule is not active.")
