"""`mainspring runs cancel`: end runs on request."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.wire.calls import CancelRun


@click.command("cancel")
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True)
@talking
async def command(talk: Talk, run_ids: tuple[str, ...]) -> None:
    """Cancel runs. Harmless on a run that has ended.

    A run that executes is told to stop and is canceled when its body has ended. ID may be the
    beginning or the end of a recent run's id, if only one fits.
    """
    whole = [await full_id(talk, text) for text in run_ids]
    canceled = [items.run(await talk.ask(CancelRun(run_id))) for run_id in whole]
    talk.out.many(canceled, columns.RUN, ident="id", empty="")
