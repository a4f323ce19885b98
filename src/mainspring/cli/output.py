"""How answers are printed: a table for people, JSON lines for programs, or ids alone.

Drawing is `draw`, imported only for a terminal; progress goes to stderr and only to a terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from mainspring.cli.item import Columns, Item


@dataclass(frozen=True)
class Output:
    """Where and how one command prints."""

    as_json: bool = False
    quiet: bool = False

    @property
    def for_people(self) -> bool:
        """Whether a person reads: a terminal, without --json and -q."""
        return not self.as_json and not self.quiet and sys.stdout.isatty()

    def many(self, items: Iterable[Item], columns: Columns, *, ident: str, empty: str) -> None:
        """Print a list: table, JSON lines, or the field `ident` of each."""
        if self.quiet:
            for item in items:
                click.echo(item[ident])
        elif not self.for_people:
            for item in items:
                self.line(item)
        else:
            found = list(items)
            if found:
                from mainspring.cli import draw

                terminal = draw.console()
                drawn, narrow = draw.table(found, columns, terminal.width)
                terminal.print(drawn)
                if narrow:
                    self.note(f"No room for {', '.join(narrow)}: --json has everything.")
            else:
                click.echo(empty)

    def one(self, item: Item, rows: Columns, *, ident: str) -> None:
        """Print one thing: `name  value` rows without the empty ones, one JSON line, or its id."""
        if self.quiet:
            click.echo(item[ident])
        elif not self.for_people:
            self.line(item)
        else:
            from mainspring.cli import draw

            draw.console().print(draw.sheet(item, rows), soft_wrap=True)

    def line(self, item: Item) -> None:
        """Print one JSON line."""
        click.echo(msgspec.json.encode(item).decode())

    def note(self, text: str) -> None:
        """Tell a person something beside the answer: stderr, and only a terminal."""
        if not self.quiet and sys.stderr.isatty():
            click.echo(text, err=True)


def compact(value: Any) -> str:
    """A JSON value in one line, empty for None."""
    return "" if value is None else msgspec.json.encode(value).decode()


def pretty(value: Any) -> str:
    """A JSON value in indented lines, empty for None."""
    if value is None:
        return ""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def ago(at: int | None, now: int | None = None) -> str:
    """How long ago a moment (epoch ms) was, or in how long it will be."""
    if at is None:
        return ""
    seconds = ((now if now is not None else int(time.time() * 1000)) - at) / 1000
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def span(seconds: float) -> str:
    """A duration in its largest unit: 0.3 s, 12 s, 5 min, 3 h, 2 d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size * 1.5:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{round(seconds)} s"
