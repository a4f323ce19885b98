"""`mainspring runs watch`: a run until it ends."""

from __future__ import annotations

import click

from mainspring.cli import columns, items, moments
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id


@click.command("watch")
@click.argument("run_id", metavar="ID")
@click.option("--timeout", help="Stop watching after this time, 30 or 5m; exit code 124.")
@talking
async def command(talk: Talk, run_id: str, *, timeout: str | None) -> int:
    """Follow a run until it ends, with its log. The exit code is 0 if it completed, else 1.

    ID may be the beginning or the end of a recent run's id, if only one fits. With --json each
    change of state is a line, and the log goes to stderr.
    """
    from mainspring.cli.following import exit_code, until_final  # --help needs no event loop

    limit, found = moments.duration(timeout, "--timeout"), await full_id(talk, run_id)
    run = until_final(talk, found, limit, logs=not talk.out.quiet, states=True)
    if talk.out.for_people or talk.out.quiet:
        talk.out.one(items.run(run), columns.RUN_SHEET, ident="id")
    return exit_code(run)
