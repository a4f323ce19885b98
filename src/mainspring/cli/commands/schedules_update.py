"""`mainspring schedules update`: another time, another task."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.model import schedule
from mainspring.wire.operating import GetSchedule, Schedule, SetSchedule


@click.command("update")
@click.argument("schedule_id")
@click.option("--task", help="What it runs.")
@click.option("--cron", help="When, as `schedules create` takes it.")
@click.option("--timezone", default=None, help="The zone of CRON, such as Europe/Berlin.")
@click.option("--external-id", help="A text of yours that the runs are told.")
@click.option("--window", help="Spread the ticks over 30m, 2h, or 20% of the time between two.")
@click.option(
    "--missed",
    type=click.Choice(schedule.CATCH_UP),
    help="Runs for missed ticks: one for the latest (the default), none, or all.",
)
@talking
async def command(
    talk: Talk,
    schedule_id: str,
    *,
    task: str | None,
    cron: str | None,
    timezone: str | None,
    external_id: str | None,
    window: str | None,
    missed: str | None,
) -> None:
    """Change a schedule; what is not given stays as it is."""
    old: Schedule = await talk.ask(GetSchedule(schedule_id))
    request = SetSchedule(
        task or old.task,
        cron or old.cron,
        timezone or old.timezone,
        old.id,
        external_id=external_id if external_id is not None else old.external_id,
        window=window if window is not None else old.window,
        catch_up=missed or old.catch_up,
    )
    changed = await talk.ask(request)
    talk.out.one(items.schedule(changed), columns.SCHEDULE_SHEET, ident="id")
