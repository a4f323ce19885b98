"""`mainspring runs send`: input for a run."""

from __future__ import annotations

import click

from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import full_id
from mainspring.cli.payloads import read_json
from mainspring.wire.calls import SendInput


@click.command("send")
@click.argument("run_id", metavar="ID")
@click.argument("stream")
@click.argument("record", metavar="JSON")
@talking
async def command(talk: Talk, run_id: str, stream: str, record: str) -> None:
    """Send a record to an input stream of a run, and print its number in the stream.

    JSON may be @file, or - for standard input. ID may be the beginning or the end of a recent run's
    id, if only one fits.
    """
    data = read_json(record, "JSON")
    whole = await full_id(talk, run_id)
    sent = await talk.ask(SendInput(whole, stream, data))
    talk.out.one(
        {"id": whole, "stream": stream, "number": sent.number},
        {"run": lambda item: str(item["id"]), "number": lambda item: str(item["number"])},
        ident="number",
    )
