"""Tables and sheets for a terminal, with rich. Imported only when one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mainspring.cli.item import Columns, Item

_STYLES: Final = {
    "COMPLETED": "green",
    "EXECUTING": "cyan",
    "DEQUEUED": "cyan",
    "WAITING": "blue",
    "QUEUED": "yellow",
    "DELAYED": "yellow",
    "PENDING_VERSION": "yellow",
    "CANCELED": "bright_black",
    "EXPIRED": "bright_black",
    "FAILED": "red",
    "CRASHED": "red",
    "SYSTEM_FAILURE": "red",
    "TIMED_OUT": "red",
    "PENDING": "blue",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
}


def console() -> Console:
    """The terminal on stdout; it honours NO_COLOR."""
    return Console(highlight=False)


def table(items: Sequence[Item], columns: Columns) -> Table:
    """One row an item; status words get their colour and ids are never broken."""
    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for title in columns:
        drawn.add_column(title, overflow="fold", no_wrap=title == "ID")
    for item in items:
        drawn.add_row(*(_cell(title, show(item)) for title, show in columns.items()))
    return drawn


def sheet(item: Item, rows: Columns) -> Text:
    """`name  value` rows; empty values are left out. To be printed with `soft_wrap`, so that what
    is long, such as an address, can be copied as one.
    """
    shown = [(title, value) for title, show in rows.items() if (value := show(item))]
    width = max((len(title) for title, _ in shown), default=0) + 2
    lines = []
    for title, value in shown:
        for number, line in enumerate(value.splitlines()):
            name = (title.lower() if number == 0 else "").ljust(width)
            lines.append(Text.assemble((name, "bold"), _cell(title, line)))
    return Text("\n").join(lines)


def _cell(title: str, word: str) -> Text:
    coloured = title.lower() in ("status", "state")
    return Text(word, style=_STYLES.get(word, "") if coloured else "")
