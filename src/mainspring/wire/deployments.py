"""Deployments as the public JSON shows them: versions of the tasks, deployed or announced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError, InvalidOptions
from mainspring.wire import moments, pages
from mainspring.wire.operating import Deployment, DeploymentPage, ListDeployments
from mainspring.wire.pages import CursorQuery, Pagination

STATUSES: Final = (
    "PENDING", "BUILDING", "DEPLOYING", "DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT",
)  # fmt: skip
_SHORT: Final = 8


class ShownDeployment(Struct, rename="camel", kw_only=True):
    """A version; one that only workers have announced counts as deployed since the first came.

    `workers` are those connected now; `current` is the version that new runs get.
    """

    id: str
    created_at: str
    short_code: str
    version: str
    runtime: str | None
    runtime_version: str | None
    status: Literal["DEPLOYED"]
    deployed_at: str
    external_id: str | None
    workers: int
    current: bool
    promoted_at: str | None
    image: str | None


class DeploymentQuery(
    CursorQuery,
    rename={name: f"page[{name}]" for name in ("size", "after", "before")} | {"from_": "from"},
):
    """Times are dates or epoch milliseconds, `period` is a duration until now."""

    status: str | UnsetType = UNSET
    period: str | UnsetType = UNSET
    from_: str | UnsetType = UNSET
    to: str | UnsetType = UNSET


class DeploymentList(Struct):
    """A page of deployments, newest first."""

    data: list[ShownDeployment]
    pagination: Pagination


def shown(found: Deployment) -> dict[str, Any]:
    """One deployment. Workers do not tell which Python they run on; who deploys does."""
    at = moments.iso(found.created_at)
    return {
        "id": found.id,
        "createdAt": at,
        "shortCode": found.id[-_SHORT:],
        "version": found.version,
        "runtime": "python",
        "runtimeVersion": found.runtime or None,
        "status": "DEPLOYED",
        "deployedAt": at,
        "externalId": found.external_id,
        "workers": found.workers,
        "current": found.current,
        "promotedAt": None if found.promoted_at is None else moments.iso(found.promoted_at),
        "image": found.image or None,
    }


def listed(page: DeploymentPage) -> dict[str, Any]:
    """One page of them."""
    rows = [shown(deployment) for deployment in page.deployments]
    return pages.by_cursor(rows, page.next, page.previous)


def wanted(query: Mapping[str, str], now: int) -> ListDeployments | None:
    """What a query asks for; None for a status that no deployment here has. Raises: CallerError."""
    status = query.get("status")
    if status and status not in STATUSES:
        raise CallerError(
            f"Query Error: status is {status[:40]!r}; {', '.join(STATUSES)} is allowed."
        )
    cut = pages.cut(query)
    found = ListDeployments(limit=cut.size, after=cut.after, before=cut.before)
    found.created_from, found.created_to = _moment(query, "from"), _moment(query, "to")
    try:
        if query.get("period"):
            since = now - moments.duration_ms(query["period"])
            found.created_from = max(since, found.created_from or 0)
    except InvalidOptions as error:
        raise CallerError(f"Query Error: period: {error.message}.") from error
    return found if status in (None, "", "DEPLOYED") else None


def _moment(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        number = text.isascii() and text.isdecimal() and len(text) < 16
        return moments.moment_ms(int(text) if number else text)
    except InvalidOptions as error:
        raise CallerError(f"Query Error: {name}: {error.message}.") from error
