"""Pages of lists: what a query asks for and how an answer is laid out. No rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from mainspring import ids
from mainspring.errors import CallerError

SIZE: Final = 25
MOST: Final = 100
_FAR: Final = 1_000_000


class Cut(msgspec.Struct, frozen=True):
    """Which page of a list by cursor: after an older one, before a newer one, or the first."""

    size: int = SIZE
    after: str | None = None
    before: str | None = None


class Sheet(msgspec.Struct, frozen=True):
    """Which page of a list by number, from 1."""

    page: int = 1
    per_page: int = SIZE


class CursorQuery(msgspec.Struct, rename=lambda name: f"page[{name}]"):
    """The query of a list by cursor; when both cursors arrive, before wins."""

    size: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = SIZE
    after: str | msgspec.UnsetType = msgspec.UNSET
    before: str | msgspec.UnsetType = msgspec.UNSET


class NumberQuery(msgspec.Struct, rename="camel"):
    """The query of a list by number, from 1."""

    page: Annotated[int, msgspec.Meta(ge=1)] = 1
    per_page: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = SIZE


class OffsetPagination(msgspec.Struct, rename="camel"):
    """Where a page of a list by number stands."""

    current_page: int
    total_pages: int
    count: int


class Pagination(msgspec.Struct):
    """Cursors of a list's page; left out at the ends."""

    next: str | msgspec.UnsetType = msgspec.UNSET
    previous: str | msgspec.UnsetType = msgspec.UNSET


def cut(query: Mapping[str, str]) -> Cut:
    """`page[size]`, `page[after]` and `page[before]`; when both cursors arrive, before wins.

    Raises: CallerError.
    """
    size = whole(query, "page[size]", 1, MOST, SIZE)
    after, before = _cursor(query, "page[after]"), _cursor(query, "page[before]")
    return Cut(size, None if before else after, before)


def sheet(query: Mapping[str, str]) -> Sheet:
    """`page` and `perPage`; over 100 a page is 100. Raises: CallerError."""
    per_page = whole(query, "perPage", 1, _FAR, SIZE)
    return Sheet(whole(query, "page", 1, _FAR, 1), min(per_page, MOST))


def by_cursor(rows: Sequence[Any], next_: str | None, previous: str | None) -> dict[str, Any]:
    """The answer of a list by cursor; cursors at the ends are left out."""
    pagination: dict[str, str] = {}
    if next_:
        pagination["next"] = next_
    if previous:
        pagination["previous"] = previous
    return {"data": rows, "pagination": pagination}


def by_number(rows: Sequence[Any], sheet: Sheet) -> dict[str, Any]:
    """The answer of a list by number, cut from all its rows."""
    first = (sheet.page - 1) * sheet.per_page
    return of_count(rows[first : first + sheet.per_page], sheet, len(rows))


def of_count(rows: Sequence[Any], sheet: Sheet, count: int) -> dict[str, Any]:
    """The answer of a list by number, of that page's rows."""
    pagination = {
        "currentPage": sheet.page,
        "totalPages": -(-count // sheet.per_page),
        "count": count,
    }
    return {"data": rows, "pagination": pagination}


def whole(query: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    """A whole number of the query. Raises: CallerError naming it and what is allowed."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 16) or not low <= int(text) <= high:
        raise CallerError(
            f"{name} is {text[:40]!r}; a whole number from {low} to {high} is allowed."
        )
    return int(text)


def _cursor(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name)
    if not text:
        return None
    try:
        ids.time_of(text)
    except ValueError as error:
        raise CallerError(
            f"{name} is {text[:60]!r}, which is no cursor; take one from `pagination` of a page."
        ) from error
    return text
