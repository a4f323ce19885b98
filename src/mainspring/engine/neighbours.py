"""Which rows of a list are on a page, and where its neighbours begin. Nothing is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mainspring.store.operating import Window

Row = TypeVar("Row")


def cut(
    rows: Sequence[Row], window: Window, *, after: bool
) -> tuple[Sequence[Row], Row | None, Row | None]:
    """(rows of the page, the one that a next page follows, the one that a previous page precedes)
    of up to `window.limit` + 1 rows, newest first. `after` = the page itself follows another.
    """
    more = len(rows) > window.limit
    if window.newer:
        rows = rows[-window.limit :]
        older, newer = bool(rows), more
    else:
        rows = rows[: window.limit]
        older, newer = more, bool(rows) and after
    return rows, rows[-1] if older and rows else None, rows[0] if newer and rows else None
