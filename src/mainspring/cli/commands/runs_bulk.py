"""`mainspring runs bulk`: cancel or replay all runs that pass filters."""

from __future__ import annotations

import sys
import time
from typing import Final, Unpack

import click
import msgspec

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.faults import FAILED
from mainspring.cli.filters import Typed, filtering, run_filter
from mainspring.model.run import RunFilter, RunPage
from mainspring.wire.calls import ListRuns
from mainspring.wire.operating import Bulk, GetBulk, StartBulk

_PAGE: Final = 100
_MOST: Final = 1000
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0


@click.command("bulk")
@click.argument("what", type=click.Choice(["cancel", "replay"]))
@filtering
@click.option("--dry-run", is_flag=True, help="Only say how many runs that would be.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@talking
async def command(
    talk: Talk, *, what: str, dry_run: bool, yes: bool, **typed: Unpack[Typed]
) -> int | None:
    """Cancel or replay all runs that pass the filters, of which there must be one at least.

    It says how many there are and asks. The server does it in pieces, and goes on when this command
    is ended. The exit code is 1 if some could not be done.
    """
    chosen = run_filter(typed)
    if chosen == RunFilter():
        raise click.UsageError("Say which runs with a filter, such as --status or --task.")
    count = await _count(talk, chosen)
    shown = f"{count:,}" if count < _MOST else f"{_MOST:,} or more"
    if dry_run or not count:
        talk.out.one({"what": what, "runs": count}, {what: lambda _: f"{shown} runs"}, ident="runs")
        return None
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{what} {shown} runs? Nobody can be asked here: give --yes.")
        click.confirm(f"{what} {shown} runs?", abort=True, err=True)
    found: Bulk = await talk.ask(StartBulk(what, run_filter(typed)))
    pause = _FIRST_PAUSE_S
    while found.status == "pending":
        time.sleep(pause)  # noqa: ASYNC251 - there is no loop
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        found = await talk.ask(GetBulk(found.id))
    talk.out.one(items.bulk(found), columns.BULK_SHEET, ident="id")
    return FAILED if found.failure else None


async def _count(talk: Talk, chosen: RunFilter) -> int:
    """How many runs there are, counted up to a bound."""
    page, count = RunPage([]), 0
    wanted = msgspec.structs.replace(chosen, limit=_PAGE)
    while count < _MOST:
        page = await talk.ask(ListRuns(wanted))
        count += len(page.runs)
        if page.next is None:
            break
        wanted.after = page.next
    return count
