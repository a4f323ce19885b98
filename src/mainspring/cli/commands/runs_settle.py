"""`mainspring runs settle`: a run whose code does not fit its journal goes on."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.wire.calls import SettleRun


@click.command("settle")
@click.argument("run_id", metavar="ID")
@click.argument("action", type=click.Choice(["accept", "restart", "pin", "fail"]))
@click.option("--version", help="With pin: the version whose workers may run it.")
@talking
async def command(talk: Talk, run_id: str, action: str, *, version: str | None) -> None:
    """Decide how a run goes on that waits because its code and its journal differ.

    accept takes the stored result in spite of the difference; restart forgets the journal from that
    entry on; pin leaves the run to workers of --version; fail ends it. ID may be the beginning or
    the end of a recent run's id, if only one fits.
    """
    if (action == "pin") != (version is not None):
        raise click.UsageError("pin needs --version, and nothing else takes it.")
    run = await talk.ask(SettleRun(await full_id(talk, run_id), action, version))
    talk.out.many([items.run(run)], columns.RUN, ident="id", empty="")
