"""The versions of an environment's tasks that workers announced. Reads rows and memory."""

from __future__ import annotations

from mainspring.engine.neighbours import cut
from mainspring.engine.owner import Owner
from mainspring.errors import NotFound
from mainspring.ids import lower_bound
from mainspring.store.operating import DeploymentRow, Window
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.operating import Deployment, DeploymentPage, ListDeployments

PAGE_LIMIT = 100
PREFIX = "deployment"


async def page(owner: Owner, env: EnvironmentRow, wanted: ListDeployments) -> DeploymentPage:
    """One page, newest first, with cursors to its neighbours."""
    low, high = wanted.before or "", wanted.after or "~"
    if wanted.created_from is not None:
        low = max(low, lower_bound(PREFIX, max(wanted.created_from, 0)))
    if wanted.created_to is not None:
        high = min(high, lower_bound(PREFIX, max(wanted.created_to, 0) + 1))
    limit = max(1, min(wanted.limit, PAGE_LIMIT))
    window = Window(low, high, limit, newer=wanted.before is not None)
    rows = await owner.store.operations.deployments(owner.state.shard_id, env.env_id, window)
    found, next_, previous = cut(rows, window, after=wanted.after is not None)
    return DeploymentPage(
        [_shown(owner, env, row) for row in found],
        next=next_.deployment_id if next_ is not None else None,
        previous=previous.deployment_id if previous is not None else None,
    )


async def current(owner: Owner, env: EnvironmentRow) -> Deployment:
    """The newest version that has a worker, or else the newest. Raises: NotFound."""
    window = Window("", "~", PAGE_LIMIT)
    rows = await owner.store.operations.deployments(owner.state.shard_id, env.env_id, window)
    found = [_shown(owner, env, row) for row in rows]
    if not found:
        raise NotFound("No worker has announced a version of the tasks here yet.")
    return next((one for one in found if one.workers), found[0])


def _shown(owner: Owner, env: EnvironmentRow, row: DeploymentRow) -> Deployment:
    pool = owner.state.pools.get((env.env_id, row.version))
    workers = sum(one.deliver is not None for one in pool.sessions) if pool is not None else 0
    return Deployment(row.deployment_id, row.version, row.created_at, row.seen_at, workers)
