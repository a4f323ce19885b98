"""Requests and responses of environments as a whole, and of the branches of `preview`.

They are part of the table in `wire.calls`, through which they are used.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError

MOST = 100_000
MOST_BURST = 100.0


class EnvironmentState(Struct):
    """`limit`: most runs of one queue at once (None = no limit); all queues together may have
    `burst` times as many.
    """

    slug: str
    paused: bool
    limit: int | None = None
    burst: float = 1.0
    running: int = 0
    queued: int = 0


class GetEnvironment(Struct, tag="get_environment"):
    """→ EnvironmentState."""


class SetEnvironment(Struct, tag="set_environment"):
    """Change how many runs the environment may have at once → EnvironmentState. `limit` None = no
    limit; `burst` from 1 to 100. What is UNSET stays.
    """

    limit: int | UnsetType | None = UNSET
    burst: float | UnsetType = UNSET


class CreateBranch(Struct, tag="create_branch"):
    """Make a branch of `preview`, if there is none of that name → EnvironmentState. Only in
    `preview` itself.
    """

    name: str


class ListBranches(Struct, tag="list_branches"):
    """→ BranchList. Only in `preview` itself."""


class BranchList(Struct):
    """The slugs of the branches, `preview-…`, in order."""

    branches: list[str]


class ArchiveEnvironment(Struct, tag="archive_environment"):
    """End the branch for good → EnvironmentState: its keys and schedules end, nothing of it starts
    any more, and its name is free. Only in a branch.
    """


class Limits(Struct, rename="camel"):
    """What a body may change. `concurrencyLimit` null = no limit."""

    concurrency_limit: int | UnsetType | None = UNSET
    burst: float | UnsetType = UNSET


class NewBranch(Struct):
    """`branch` is the name of the branch as Git has it."""

    branch: str


class ShownEnvironment(Struct, rename="camel"):
    name: str
    paused: bool
    concurrency_limit: int | None
    burst: float
    running: int
    queued: int


class ShownBranches(Struct):
    data: list[str]


EnvironmentRequest = (
    GetEnvironment | SetEnvironment | CreateBranch | ListBranches | ArchiveEnvironment
)
EnvironmentResponse = EnvironmentState | BranchList
ENVIRONMENTS: dict[type[Struct], type[Struct]] = {
    GetEnvironment: EnvironmentState,
    SetEnvironment: EnvironmentState,
    CreateBranch: EnvironmentState,
    ListBranches: BranchList,
    ArchiveEnvironment: EnvironmentState,
}


def shown(found: EnvironmentState) -> dict[str, Any]:
    """The environment as a whole."""
    return {
        "name": found.slug,
        "paused": found.paused,
        "concurrencyLimit": found.limit,
        "burst": found.burst,
        "running": found.running,
        "queued": found.queued,
    }


def limits(body: Any) -> SetEnvironment:
    """What a body asks for. Raises: CallerError."""
    if not isinstance(body, dict) or not body.keys() & {"concurrencyLimit", "burst"}:
        raise CallerError('Body Error: give "concurrencyLimit", "burst" or both.')
    limit, burst = body.get("concurrencyLimit", UNSET), body.get("burst", UNSET)
    if limit not in (None, UNSET) and (not isinstance(limit, int) or isinstance(limit, bool)):
        raise CallerError('Body Error: "concurrencyLimit" must be a whole number or null.')
    if burst is not UNSET and (not isinstance(burst, int | float) or isinstance(burst, bool)):
        raise CallerError('Body Error: "burst" must be a number.')
    return SetEnvironment(limit, burst)


def branch(body: Any) -> CreateBranch:
    """What branch a body asks for. Raises: CallerError."""
    name = body.get("branch") if isinstance(body, dict) else None
    if not isinstance(name, str):
        raise CallerError('Body Error: "branch" must be the name of a branch.')
    return CreateBranch(name)
