"""`mainspring schedules create`: a task runs by itself."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.model import schedule
from mainspring.wire.operating import SetSchedule


@click.command("create")
@click.argument("task")
@click.argument("cron")
@click.option(
    "--deduplication-key", help="A schedule that was made with the same key is changed instead."
)
@click.option(
    "--timezone", default="UTC", help="The zone of CRON, such as Europe/Berlin; UTC if not given."
)
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
    task: str,
    cron: str,
    *,
    deduplication_key: str | None,
    timezone: str,
    external_id: str | None,
    window: str | None,
    missed: str | None,
) -> None:
    """Let TASK run by itself whenever CRON says.

    CRON has five fields: minute, hour, day of month, month, day of week, as in "0 9 * * MON-FRI".
    Or it is an interval, "@every 10m", or a single date, "@at 2026-12-24T18:00".
    """
    request = SetSchedule(
        task,
        cron,
        timezone,
        dedup_key=deduplication_key,
        external_id=external_id,
        window=window,
        catch_up=missed or schedule.CATCH_UP[0],
    )
    made = await talk.ask(request)
    talk.out.one(items.schedule(made), columns.SCHEDULE_SHEET, ident="id")
    talk.out.note(f"Next: mainspring schedules next {made.id}")
