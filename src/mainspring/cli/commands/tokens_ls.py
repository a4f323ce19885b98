"""`mainspring tokens ls`: what runs wait for and others complete."""

from __future__ import annotations

import time
from typing import Final, TypedDict, Unpack

import click

from mainspring.cli import columns, items, moments
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import token_url
from mainspring.wire.calls import ListTokens, TokenPage

_PAGE: Final = 100


class Typed(TypedDict):
    """The filters as they were typed."""

    status: tuple[str, ...]
    tag: tuple[str, ...]
    idempotency_key: str | None
    since: str | None
    until: str | None
    after: str | None
    before: str | None


@click.command("ls")
@click.option("--status", multiple=True, help="Only these: waiting, completed, timed_out.")
@click.option("--tag", multiple=True, help="Only tokens with one of these tags.")
@click.option("--idempotency-key", help="Only tokens that were made with this key.")
@click.option("--from", "since", help="Created at or after: 2h (ago), 2026-05-01, …T09:00Z.")
@click.option("--to", "until", help="Created at or before, written the same way.")
@click.option("--after", help="Older than this id, to go on from the last one shown.")
@click.option("--before", help="Newer than this id.")
@click.option("--limit", default=25, show_default=True, type=click.IntRange(1, 100_000))
@talking
async def command(talk: Talk, *, limit: int, **typed: Unpack[Typed]) -> None:
    """List tokens, newest first, without large outputs.

    Options given several times mean any of the values; different options must all fit.
    """
    wanted = _filter(typed)
    found, left = [], limit
    while left > 0:
        wanted.limit = min(left, _PAGE)
        page: TokenPage = await talk.ask(wanted)
        found += page.tokens
        left -= len(page.tokens)
        if page.next is None or wanted.before is not None:
            break
        wanted.after = page.next
    shown = (items.token(token, token_url(talk, token)) for token in found)
    talk.out.many(shown, columns.TOKEN, ident="id", empty="No tokens.")
    if found and page.next is not None and wanted.before is None:
        talk.out.note(f"More: --after {page.next}")


def _filter(typed: Typed) -> ListTokens:
    now = int(time.time() * 1000)
    since, until = typed["since"], typed["until"]
    return ListTokens(
        status=tuple(word.strip().lower().replace("-", "_") for word in typed["status"]),
        tags=typed["tag"],
        idempotency_key=typed["idempotency_key"],
        created_from=None if since is None else moments.past(since, now, "--from"),
        created_to=None if until is None else moments.past(until, now, "--to"),
        after=typed["after"],
        before=typed["before"],
    )
