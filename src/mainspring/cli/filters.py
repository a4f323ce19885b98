"""Which runs a command means: options that filter them, as typed and as the server takes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypedDict

import click

from mainspring.cli import moments
from mainspring.errors import InvalidOptions
from mainspring.model.run import RunFilter, Status


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


_OPTIONS = (
    click.option("--status", multiple=True, help="Only these states, for example failed."),
    click.option("--task", multiple=True, help="Only runs of these tasks."),
    click.option("--tag", multiple=True, help="Only runs with one of these tags."),
    click.option("--queue", multiple=True, help="Only runs of these queues."),
    click.option("--version", multiple=True, help="Only runs of these versions."),
    click.option("--batch", help="Only runs of this batch."),
    click.option(
        "--test/--no-test", "is_test", default=None, help="Only test runs, or none of them."
    ),
    click.option("--from", "since", help="Created at or after: 2h (ago), 2026-05-01, …T09:00Z."),
    click.option("--to", "until", help="Created at or before, written the same way."),
)


def filtering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def run_filter(typed: Typed) -> RunFilter:
    """The filter that was typed. Raises: InvalidOptions."""
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
    )


def _split(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(",") if part)


def _status(word: str) -> Status:
    try:
        return Status(word.strip().lower().replace("-", "_"))
    except ValueError as error:
        known = ", ".join(status.value for status in Status)
        raise InvalidOptions(f"--status: {word!r} is no state of a run; known: {known}.") from error
