"""`mainspring runs explain`: which gate holds a run."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.wire.calls import ExplainRun


@click.command("explain")
@click.argument("run_id", metavar="ID")
@talking
async def command(talk: Talk, run_id: str) -> None:
    """Say why a run is not running: which limit or pause holds it, who has the slots, and where
    it stands in line.

    ID may be the beginning or the end of a recent run's id, if only one fits.
    """
    answer = await talk.ask(ExplainRun(await full_id(talk, run_id)))
    talk.out.one(items.explanation(answer), columns.EXPLANATION, ident="runId")
