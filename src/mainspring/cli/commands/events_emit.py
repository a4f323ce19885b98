"""`mainspring events emit`: tell runs what has happened."""

from __future__ import annotations

import click

from mainspring.cli.connection import Talk, talking
from mainspring.cli.payloads import read_json
from mainspring.wire.calls import EmitEvent


@click.command("emit")
@click.argument("name")
@click.argument("payload", metavar="[JSON]", default="null")
@talking
async def command(talk: Talk, name: str, payload: str) -> None:
    """Emit an event to every run that waits for it, and print how many waits it has ended.

    An event is not kept: who begins to wait later does not see it. JSON may be @file, or - for
    standard input.
    """
    sent = await talk.ask(EmitEvent(name, read_json(payload, "JSON")))
    talk.out.one(
        {"event": name, "waits": sent.number},
        {"event": lambda item: str(item["event"]), "waits": lambda item: str(item["waits"])},
        ident="waits",
    )
