"""`mainspring environments set`: how many runs the environment may have at once."""

from __future__ import annotations

import click
from msgspec import UNSET

from mainspring.cli import columns
from mainspring.cli.connection import Talk, talking
from mainspring.wire import environments as wire


@click.command("set")
@click.option("--limit", type=click.IntRange(0, wire.MOST), help="Runs of one queue at once.")
@click.option("--no-limit", is_flag=True, help="No limit but those of the queues.")
@click.option(
    "--burst",
    type=click.FloatRange(1, wire.MOST_BURST),
    help="All queues together may run the limit times this. 1 at first.",
)
@talking
async def command(talk: Talk, *, limit: int | None, no_limit: bool, burst: float | None) -> None:
    """Limit how many runs the environment of the key may have at once.

    Of each queue --limit runs at most, and --limit times --burst over all queues.
    """
    if no_limit and limit is not None:
        raise click.UsageError("Give --limit or --no-limit.")
    if limit is None and burst is None and not no_limit:
        raise click.UsageError("Give --limit, --no-limit or --burst.")
    most = None if no_limit else UNSET if limit is None else limit
    wanted = wire.SetEnvironment(most, UNSET if burst is None else burst)
    talk.out.one(wire.shown(await talk.ask(wanted)), columns.ENVIRONMENT, ident="name")
