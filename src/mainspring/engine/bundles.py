"""The packed code of versions: how it is kept, and when that of an old version goes."""

from __future__ import annotations

import contextlib
from typing import Final

from mainspring.engine.owner import Owner
from mainspring.engine.versions import serves
from mainspring.errors import FencedOut
from mainspring.store.operating import Window
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.versions import DeploymentRow

EVERY_MS: Final = 60 * 60 * 1000
PAGE: Final = 100
_LINE: Final = "\n"


def sealed(deployment_id: str, bundle: str) -> str:
    """The text that is stored: of this deployment alone, so that it can be deleted with it."""
    return f"{deployment_id}{_LINE}{bundle}"


def opened(text: str) -> str:
    """The bundle of a stored text."""
    return text.rpartition(_LINE)[2]


async def look(owner: Owner, keep: int) -> None:
    """Once an hour: delete the code of old versions. `keep`: of how many it stays in any case, the
    newest; 0 = of all.

    Of the others it stays while the version is current or was so before the current one, while
    workers of it are connected, and while runs are pinned to it that have not ended. The rows stay.
    Raises: StoreUnavailable.
    """
    now = owner.state.clock.now()
    if not keep or now < owner.state.bundles_at:
        return
    owner.state.bundles_at = now + EVERY_MS
    with contextlib.suppress(FencedOut):  # the next turn of the owner finds out, too
        for env in list(owner.state.environments.values()):
            async with owner.state.deploying:  # nobody promotes what goes
                await _thin(owner, env, keep)


async def _thin(owner: Owner, env: EnvironmentRow, keep: int) -> None:
    old = (await _kept_here(owner, env))[keep:]
    if not old:
        return
    state, catalog, env_id = owner.state, owner.store.catalog, env.env_id
    promoted = await catalog.promotions(state.shard_id, env_id, 2)
    needed = {one.version for one in promoted} | await catalog.in_use(state.shard_id, env_id)
    for row in old:
        if row.version in needed or serves(state, env_id, row.version) or row.bundle_ref is None:
            continue
        await catalog.drop_bundle(state.shard_id, owner.epoch, env_id, row.version)
        if (await owner.objects.get(row.bundle_ref)).startswith(row.deployment_id):
            await owner.objects.drop(row.bundle_ref)


async def _kept_here(owner: Owner, env: EnvironmentRow) -> list[DeploymentRow]:
    """The deployments whose code is kept, the newest first."""
    found: list[DeploymentRow] = []
    place, before = (owner.state.shard_id, env.env_id), "~"
    while True:
        rows = await owner.store.catalog.deployments(*place, Window("", before, PAGE))
        found += [row for row in rows if row.bundle_ref is not None]
        if len(rows) < PAGE:
            return found
        before = rows[-1].deployment_id
