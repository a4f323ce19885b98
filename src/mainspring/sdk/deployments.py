"""Deployments of an environment: versions of the code, and which of them new runs get."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mainspring.errors import InvalidOptions
from mainspring.sdk.transport import ask
from mainspring.wire.deploying import (
    Deployment,
    DeploymentDetail,
    GetDeployment,
    Promote,
    Rollback,
)
from mainspring.wire.operating import CurrentDeployment, DeploymentPage, ListDeployments


async def list(*, page_size: int = 100) -> AsyncIterator[Deployment]:
    """Walk through the deployments, newest first, asking for a page at a time."""
    after: str | None = None
    while True:
        page = await ask(ListDeployments(after=after, limit=page_size), DeploymentPage)
        for deployment in page.deployments:
            yield deployment
        after = page.next
        if after is None:
            return


async def retrieve(version: str) -> DeploymentDetail:
    """One deployment with what its code declares, by its version, id or external id.

    Raises: NotFound.
    """
    return await ask(GetDeployment(version), DeploymentDetail)


async def current() -> Deployment:
    """The version that new runs get; before the first promotion that of the newest worker.

    Raises: NotFound.
    """
    return await ask(CurrentDeployment(), Deployment)


async def promote(version: str | None) -> Deployment:
    """Let new runs get a version, by its name, id or external id; None = any worker takes them.

    Runs that have not started yet get it as well, those that have keep theirs. Raises: NotFound,
    Conflict for a version that is gone.
    """
    if version == "":
        raise InvalidOptions("version is empty; give one, or None to let any worker take new runs.")
    return await ask(Promote(version or ""), Deployment)


async def rollback() -> Deployment:
    """Let new runs get the version that was promoted before the current one.

    Raises: Conflict when there is none, or it is gone.
    """
    return await ask(Rollback(), Deployment)
