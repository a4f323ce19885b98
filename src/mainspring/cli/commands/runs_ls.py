"""`mainspring runs ls`: runs that pass the filters, newest first."""

from __future__ import annotations

from typing import Final, Unpack

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.filters import Typed, filtering, run_filter
from mainspring.model.run import RunPage
from mainspring.wire.calls import ListRuns

_PAGE: Final = 100


@click.command("ls")
@filtering
@click.option("--after", help="Older than this run id, to go on from the last one shown.")
@click.option("--before", help="Newer than this run id.")
@click.option("--limit", default=25, show_default=True, type=click.IntRange(1, 100_000))
@talking
async def command(
    talk: Talk,
    *,
    after: str | None,
    before: str | None,
    limit: int,
    **typed: Unpack[Typed],
) -> None:
    """List runs, newest first.

    Options given several times mean any of the values; different options must all fit. With -q
    the ids go well into xargs: mainspring runs ls --status failed -q | xargs mainspring runs replay
    """
    chosen = run_filter(typed)
    chosen.after, chosen.before = after, before
    left, found = limit, []
    while left > 0:
        chosen.limit = min(left, _PAGE)
        page: RunPage = await talk.ask(ListRuns(chosen))
        found += page.runs
        left -= len(page.runs)
        if page.next is None or chosen.before is not None:
            break
        chosen.after = page.next
    talk.out.many((items.run(run) for run in found), columns.RUN, ident="id", empty="No runs.")
    if found and page.next is not None and chosen.before is None:
        talk.out.note(f"More: --after {page.next}")
