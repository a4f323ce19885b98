"""`mainspring runs replay`: the same runs once more."""

from __future__ import annotations

import click

from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.cli.payloads import read_json
from mainspring.wire.calls import ReplayRun


@click.command("replay")
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--payload", help="Another payload: JSON, @file or - for standard input.")
@talking
async def command(talk: Talk, run_ids: tuple[str, ...], *, payload: str | None) -> None:
    """Trigger runs again with the same task, payload and options, and print the new ids.

    ID may be the beginning or the end of a recent run's id, if only one fits.
    """
    text = None if payload is None else read_json(payload, "--payload")
    whole = [await full_id(talk, typed) for typed in run_ids]
    made = []
    for run_id in whole:
        answer = await talk.ask(ReplayRun(run_id, text))
        made.append({"id": answer.run_id, "replayOf": run_id})
    talk.out.many(
        made,
        {"ID": lambda item: str(item["id"]), "REPLAY OF": lambda item: str(item["replayOf"])},
        ident="id",
        empty="",
    )
