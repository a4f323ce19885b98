"""`mainspring schedules ls`: what runs by itself and when."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.wire.operating import ListSchedules, Schedule, SchedulePage

_PAGE = 100


@click.command("ls")
@click.option("--limit", default=25, show_default=True, type=click.IntRange(1, 100_000))
@talking
async def command(talk: Talk, *, limit: int) -> None:
    """List schedules, newest first, with their next runs (UTC)."""
    found: list[Schedule] = []
    count = limit
    while len(found) < min(limit, count):
        request = ListSchedules(len(found), min(limit - len(found), _PAGE))
        page: SchedulePage = await talk.ask(request)
        found += page.schedules
        count = page.count if page.schedules else 0
    shown = map(items.schedule, found)
    talk.out.many(shown, columns.SCHEDULE, ident="id", empty="No schedules.")
    if count > len(found):
        talk.out.note(f"{count - len(found)} more: --limit {count}")
