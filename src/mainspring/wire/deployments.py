"""Deployments as the public JSON shows them: versions of the tasks, deployed or announced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError, InvalidOptions
from mainspring.wire import moments, pages
from mainspring.wire.deploying import DeploymentDetail, Manifest
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


class DeployedTask(Struct, rename="camel"):
    """A task of a version; `slug` is its id, too."""

    id: str
    slug: str
    file_path: str


class DeployedWorker(Struct):
    """What the code of a version declares."""

    id: str
    version: str
    tasks: list[DeployedTask]


class DetailedDeployment(ShownDeployment, rename="camel", kw_only=True):
    """The same with its code: `contentHash` is the SHA-256 of the bundle, empty for an image and
    for what only workers have announced, and `size` its bytes. One that is not final yet is
    `PENDING`; it has no version, and nothing is known of what its code declares.
    """

    status: Literal["PENDING", "DEPLOYED"]  # type: ignore[assignment]  # nobody writes to it
    deployed_at: str | UnsetType = UNSET  # type: ignore[assignment]  # the same
    content_hash: str
    size: int
    image_reference: str | None
    image_platform: str
    queues: list[str]
    schedules: list[str]
    worker: DeployedWorker | UnsetType = UNSET


class PromotedDeployment(Struct, rename="camel"):
    """The version that new runs get from now on."""

    id: str
    version: str
    short_code: str


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


def detailed(found: DeploymentDetail) -> dict[str, Any]:
    """One deployment with what its code declares."""
    one, manifest = found.deployment, found.manifest
    return shown(one) | {
        "contentHash": one.hash,
        "size": one.size,
        "imageReference": one.image or None,
        "imagePlatform": "",
        "queues": [queue.name for queue in manifest.queues],
        "schedules": [
            f"{task.id} {each.cron}" for task in manifest.tasks for each in task.schedules
        ],
        "worker": {
            "id": one.id,
            "version": one.version,
            "tasks": [
                {"id": task.id, "slug": task.id, "filePath": task.file} for task in manifest.tasks
            ],
        },
    }


def unfinished(found: Deployment) -> dict[str, Any]:
    """One that is not final yet."""
    shown = detailed(DeploymentDetail(found, Manifest([], [])))
    return {
        name: value for name, value in shown.items() if name not in ("deployedAt", "worker")
    } | {"status": "PENDING"}


def promoted(found: Deployment) -> PromotedDeployment:
    """What a promotion answers."""
    return PromotedDeployment(found.id, found.version, found.id[-_SHORT:])


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
