"""Tables and sheets for a terminal, with rich. Imported only when one is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.cells import cell_len
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

_GAP: Final = 2
_LEAST: Final = 12
"""To so many signs a column is cut before another one goes."""
_WHOLE: Final = ("STATUS", "STATE", "VERDICT", "VERSION")
_SENTENCES: Final = ("FOUND", "NEXT", "WHY")


def console() -> Console:
    """The terminal on stdout; it honours NO_COLOR."""
    return Console(highlight=False)


def table(items: Sequence[Item], columns: Columns, width: int) -> tuple[Table, list[str]]:
    """One line an item, and the titles that have no room; status words get their colour.

    The columns stand in the order of their importance. When they are wider than `width`, empty
    ones go, then those from the right, and what is left is cut with an ellipsis. The first column
    and words for a state are not cut; sentences stay, and take several lines.
    """
    cells = {
        title: [" ".join(show(item).splitlines()) for item in items]
        for title, show in columns.items()
    }
    fitting = _fitting(cells, width)
    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for title, wide in fitting.items():
        if title in _SENTENCES:
            drawn.add_column(title, width=wide, overflow="fold")
        else:
            drawn.add_column(title, width=wide, overflow="ellipsis", no_wrap=True)
    for row in zip(*(cells[title] for title in fitting), strict=True):
        drawn.add_row(*(_cell(title, word) for title, word in zip(fitting, row, strict=True)))
    return drawn, [title for title in cells if title not in fitting and any(cells[title])]


def _fitting(cells: Mapping[str, Sequence[str]], width: int) -> dict[str, int]:
    """The titles that have room, with the width of each."""
    natural = {
        title: max(cell_len(title), *map(cell_len, column)) for title, column in cells.items()
    }
    if _sum(natural.values()) <= width:
        return natural
    kept = [title for title, column in cells.items() if any(column)] or [*cells]
    least = {
        title: natural[title]
        if title in _WHOLE
        else min(natural[title], max(_LEAST, cell_len(title)))
        for title in kept
    }
    least[kept[0]] = min(natural[kept[0]], width)
    while len(kept) > 1 and _sum(least[title] for title in kept) > width:
        kept.remove(next((each for each in reversed(kept) if each not in _SENTENCES), kept[-1]))
    found = {title: least[title] for title in kept}
    room = width - _sum(found.values())
    for title in sorted(kept, key=lambda title: natural[title] - least[title]):
        more = min(natural[title] - least[title], max(room, 0))
        found[title], room = least[title] + more, room - more
    return found


def _sum(widths: Iterable[int]) -> int:
    each = list(widths)
    return sum(each) + _GAP * (len(each) - 1)


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
