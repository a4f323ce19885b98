"""`mainspring runs journal`: what a run has behind it."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.wire.calls import ListJournal


@click.command("journal")
@click.argument("run_id", metavar="ID")
@talking
async def command(talk: Talk, run_id: str) -> None:
    """Show the journal of a run in the order in which its code came to the entries: steps, what it
    triggered and waited for, and the waits that are open.

    ID may be the beginning or the end of a recent run's id, if only one fits.
    """
    answer = await talk.ask(ListJournal(await full_id(talk, run_id)))
    talk.out.many(
        map(items.entry, answer.lines),
        columns.ENTRY,
        ident="key",
        empty="Nothing yet: it has come to no step and to no wait.",
    )
