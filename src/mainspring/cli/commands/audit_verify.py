"""`mainspring audit verify`: whether the audit log is whole."""

from __future__ import annotations

from typing import Final

import click

from mainspring.cli.books import Books, keeping
from mainspring.model.audit import START, broken

_PAGE: Final = 1000


@click.command("verify")
@click.option("--head", metavar="NUMBER:HASH", help="What an earlier check printed.")
@keeping
async def command(books: Books, *, head: str | None) -> int:
    """Check that no entry was changed or taken away; print the newest one's number and hash.

    Keep what it prints somewhere else: only against that can be seen that the newest entries were
    cut off. The exit code is 1 when the log is not whole.
    """
    number, former = 0, START
    at, _, seen = (head or "0:").partition(":")
    if not at.isdigit():
        raise click.UsageError("--head: expected what an earlier check printed, NUMBER:HASH.")
    chain, bad = books.pepper.chain(), None
    while bad is None:
        links = await books.store.access.log.page(number, _PAGE)
        bad = broken(chain, number, former, links)
        if not links or bad is not None:
            break
        if any(link.number == int(at) and link.hash != seen for link in links):
            bad = int(at)
        number, former = links[-1].number, links[-1].hash
    if bad is None and number < int(at):
        bad = number + 1
    state = "whole" if bad is None else f"broken at {bad}"
    books.out.one(
        {"entries": number, "state": state, "head": f"{number}:{former}", "brokenAt": bad},
        {
            "state": lambda item: str(item["state"]),
            "entries": lambda item: str(item["entries"]),
            "head": lambda item: str(item["head"]) if bad is None else "",
        },
        ident="state",
    )
    return 0 if bad is None else 1
