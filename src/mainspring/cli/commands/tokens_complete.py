"""`mainspring tokens complete`: let go on whoever waits for a token."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import token_url
from mainspring.cli.payloads import read_json
from mainspring.wire.calls import CompleteToken


@click.command("complete")
@click.argument("token_id", metavar="ID")
@click.argument("output", metavar="[JSON]", required=False)
@talking
async def command(talk: Talk, token_id: str, output: str | None) -> None:
    """Complete a token and print it as it is then. One that has ended stays as it is.

    JSON is its output, or @file, or - for standard input:
    mainspring tokens complete waitpoint_… '{"approved": true}'
    """
    text = None if output is None else read_json(output, "JSON")
    token = await talk.ask(CompleteToken(token_id, text))
    talk.out.one(items.token(token, token_url(talk, token)), columns.TOKEN_SHEET, ident="id")
