"""`mainspring tokens get`: everything about one token."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import token_url
from mainspring.wire.calls import GetToken


@click.command("get")
@click.argument("token_id", metavar="ID")
@talking
async def command(talk: Talk, token_id: str) -> None:
    """Show one token with its output, and the address that completes it without a key."""
    token = await talk.ask(GetToken(token_id))
    talk.out.one(items.token(token, token_url(talk, token)), columns.TOKEN_SHEET, ident="id")
