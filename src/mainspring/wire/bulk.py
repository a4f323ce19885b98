"""Bulk actions as the public JSON shows them and as its requests ask for them. Nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError
from mainspring.model.run import RunFilter
from mainspring.wire import pages
from mainspring.wire.filters import run_filter
from mainspring.wire.moments import iso
from mainspring.wire.operating import Bulk, BulkPage, StartBulk
from mainspring.wire.pages import Pagination

_TIMES: Final = ("from", "to", "period")
_FLAGS: Final = {True: "true", False: "false"}


class NewBulk(Struct, rename="camel", forbid_unknown_fields=True):
    """Exactly one of `filter` and `runIds`. `filter` takes the names of a list's filters with a
    text or a list of texts, and `from`, `to`, `period` for the time of creation.
    """

    action: Literal["cancel", "replay"]
    filter: dict[str, Any] | UnsetType = UNSET
    run_ids: list[str] | UnsetType = UNSET
    name: str | UnsetType = UNSET
    target_region: str | UnsetType = UNSET


class Counts(Struct):
    """`total` grows while runs are still being found."""

    total: int
    success: int
    failure: int


class ShownBulk(Struct, rename="camel", kw_only=True):
    id: str
    name: str | UnsetType = UNSET
    type: Literal["CANCEL", "REPLAY"]
    status: Literal["PENDING", "COMPLETED", "ABORTED"]
    counts: Counts
    created_at: str
    completed_at: str | UnsetType = UNSET


class BulkList(Struct):
    """A page of bulk actions, newest first."""

    data: list[ShownBulk]
    pagination: Pagination


def shown(found: Bulk) -> dict[str, Any]:
    """One bulk action."""
    view: dict[str, Any] = {
        "id": found.id,
        "type": found.kind.upper(),
        "status": found.status.upper(),
        "counts": {"total": found.total, "success": found.success, "failure": found.failure},
        "createdAt": iso(found.created_at),
    }
    if found.name is not None:
        view["name"] = found.name
    if found.completed_at is not None:
        view["completedAt"] = iso(found.completed_at)
    return view


def listed(page: BulkPage) -> dict[str, Any]:
    """One page of them."""
    return pages.by_cursor([shown(bulk) for bulk in page.bulks], page.next, page.previous)


def started(body: Any, now: int, request_key: str | None) -> StartBulk:
    """The request of a body. Raises: CallerError naming what is wrong."""
    try:
        given = msgspec.convert(body, NewBulk)
    except msgspec.ValidationError as error:
        raise CallerError(f"Body Error: {error}.") from error
    if (given.filter is UNSET) == (given.run_ids is UNSET):
        raise CallerError('Body Error: give exactly one of "filter" and "runIds".')
    return StartBulk(
        given.action,
        None if given.filter is UNSET else _filter(given.filter, now),
        None if given.run_ids is UNSET else tuple(given.run_ids),
        given.name or None,
        given.target_region or None,
        request_key,
    )


def _filter(given: Mapping[str, Any], now: int) -> RunFilter:
    """The filter of a body, read by the rules of a list's query."""
    query = {}
    created = given.get("createdAt", {})
    if not isinstance(created, dict):
        raise CallerError('Body Error: "createdAt" must be an object.')
    for name, value in (given | created).items() if isinstance(given, dict) else ():
        if name == "createdAt":
            continue
        path = f"filter[createdAt][{name}]" if name in _TIMES else f"filter[{name}]"
        query[path] = _text(name, value)
    return run_filter(query, now)


def _text(name: str, value: Any) -> str:
    parts = value if isinstance(value, list) else [value]
    found = [_FLAGS[part] if isinstance(part, bool) else part for part in parts]
    texts = [str(part) if isinstance(part, int) else part for part in found]
    if not all(isinstance(text, str) for text in texts):
        raise CallerError(f'Body Error: filter "{name[:40]}" must be a text or a list of texts.')
    return ",".join(texts)
