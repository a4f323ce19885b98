"""`mainspring runs logs`: what a run has written."""

from __future__ import annotations

import click

from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.cli.lines import Lines


@click.command("logs")
@click.argument("run_id", metavar="ID")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@talking
async def command(talk: Talk, run_id: str, *, follow: bool) -> None:
    """Print what a run has written: its logger, logging and standard output.

    ID may be the beginning or the end of a recent run's id, if only one fits.
    """
    found = await full_id(talk, run_id)
    if follow:
        from mainspring.cli.following import until_final  # without -f no event loop is needed

        until_final(talk, found, logs=True)
    else:
        await Lines(talk, found).print_all()
