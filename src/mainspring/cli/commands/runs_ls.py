"""`mainspring runs ls`: runs that pass the filters, newest first."""

from __future__ import annotations

import time
from typing import Final, TypedDict, Unpack

import click

from mainspring.cli import columns, items, moments
from mainspring.cli.connection import Talk, talking
from mainspring.errors import InvalidOptions
from mainspring.model.run import RunFilter, RunPage, Status
from mainspring.wire.calls import ListRuns

_PAGE: Final = 100


class Typed(TypedDict):
    """The filters as they were typed."""

    status: tuple[str, ...]
    task: tuple[str, ...]
    tag: tuple[str, ...]
    queue: tuple[str, ...]
    version: tuple[str, ...]
    batch: str | None
    is_test: bool | None
    since: str | None
    until: str | None
    after: str | None
    before: str | None


@click.command("ls")
@click.option("--status", multiple=True, help="Only these states, for example failed.")
@click.option("--task", multiple=True, help="Only runs of these tasks.")
@click.option("--tag", multiple=True, help="Only runs with one of these tags.")
@click.option("--queue", multiple=True, help="Only runs of these queues.")
@click.option("--version", multiple=True, help="Only runs of these versions.")
@click.option("--batch", help="Only runs of this batch.")
@click.option("--test/--no-test", "is_test", default=None, help="Only test runs, or none of them.")
@click.option("--from", "since", help="Created at or after: 2h (ago), 2026-05-01, …T09:00Z.")
@click.option("--to", "until", help="Created at or before, written the same way.")
@click.option("--after", help="Older than this run id, to go on from the last one shown.")
@click.option("--before", help="Newer than this run id.")
@click.option("--limit", default=25, show_default=True, type=click.IntRange(1, 100_000))
@talking
async def command(
    talk: Talk,
    *,
    limit: int,
    **typed: Unpack[Typed],
) -> None:
    """List runs, newest first.

    Options given several times mean any of the values; different options must all fit. With -q
    the ids go well into xargs: mainspring runs ls --status failed -q | xargs mainspring runs replay
    """
    chosen = _filter(typed)
    left, found = limit, []
    while left > 0:
        chosen.limit = min(left, _PAGE)
        page: RunPage = await talk.ask(ListRuns(chosen))
        found += page.runs
        left -= len(page.runs)
        if page.next is None or chosen.before is not None:
            break
        chosen.after = page.next
    talk.out.many((items.run(run) for run in found), columns.RUN, ident="id", empty="No runs.")
    if found and page.next is not None and chosen.before is None:
        talk.out.note(f"More: --after {page.next}")


def _filter(typed: Typed) -> RunFilter:
    now = int(time.time() * 1000)
    since, until = typed["since"], typed["until"]
    return RunFilter(
        status=tuple(_status(word) for word in _split(typed["status"])),
        task=_split(typed["task"]),
        tag=_split(typed["tag"]),
        queue=_split(typed["queue"]),
        version=_split(typed["version"]),
        batch_id=typed["batch"],
        is_test=typed["is_test"],
        created_from=None if since is None else moments.past(since, now, "--from"),
        created_to=None if until is None else moments.past(until, now, "--to"),
        after=typed["after"],
        before=typed["before"],
    )


def _split(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(",") if part)


def _status(word: str) -> Status:
    try:
        return Status(word.strip().lower().replace("-", "_"))
    except ValueError as error:
        known = ", ".join(status.value for status in Status)
        raise InvalidOptions(f"--status: {word!r} is no state of a run; known: {known}.") from error
