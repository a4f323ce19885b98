"""`mainspring runs reschedule`: another time for runs that are delayed."""

from __future__ import annotations

import click

from mainspring.cli import columns, items, moments
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.wire.calls import RescheduleRun


@click.command("reschedule")
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--delay", required=True, help="From now 10m, 1h30m, or at 2026-05-01T09:00.")
@talking
async def command(talk: Talk, run_ids: tuple[str, ...], *, delay: str) -> None:
    """Give delayed runs another time to start. One that is not delayed any more is refused.

    ID may be the beginning or the end of a recent run's id, if only one fits.
    """
    delay_ms, delay_until = moments.delay(delay, "--delay")
    whole = [await full_id(talk, typed) for typed in run_ids]
    moved = [await talk.ask(RescheduleRun(run_id, delay_ms, delay_until)) for run_id in whole]
    talk.out.many(map(items.run, moved), columns.RUN, ident="id", empty="")
