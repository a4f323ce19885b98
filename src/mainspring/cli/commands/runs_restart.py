"""`mainspring runs restart`: a new run from the middle of an old one."""

from __future__ import annotations

import click

from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.cli.payloads import read_edits, read_json
from mainspring.wire.calls import RestartRun


@click.command("restart")
@click.argument("run_id", metavar="ID")
@click.option("--from", "entry", metavar="KEY", help="Keep the results before this entry.")
@click.option("--edit", multiple=True, metavar="KEY=JSON", help="Another result; repeatable.")
@click.option("--payload", help="Another payload: JSON, @file or - for standard input.")
@talking
async def command(
    talk: Talk, run_id: str, *, entry: str | None, edit: tuple[str, ...], payload: str | None
) -> None:
    """Trigger a new run that takes over the results before an entry of the journal of a run, which
    has ended or diverged; the entry itself and what follows is done anew. Prints the new id.

    `mainspring runs journal ID` shows the keys. ID may be the beginning or the end of a recent
    run's id, if only one fits.
    """
    edits = read_edits(edit, "--edit")
    text = None if payload is None else read_json(payload, "--payload")
    whole = await full_id(talk, run_id)
    answer = await talk.ask(RestartRun(whole, entry, edits, text))
    talk.out.one(
        {"id": answer.run_id, "restartOf": whole},
        {"run": lambda item: str(item["id"]), "restart of": lambda item: str(item["restartOf"])},
        ident="id",
    )
    talk.out.note(f"Next: mainspring runs watch {answer.run_id}")
