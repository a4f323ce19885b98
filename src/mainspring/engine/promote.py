"""Another version becomes the current one: new runs get it from the commit on that says so."""

from __future__ import annotations

import asyncio
from asyncio import Future

from msgspec import Struct

from mainspring.engine import declared, deployments
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.owner import Owner
from mainspring.engine.state import State
from mainspring.engine.versions import learn, serves
from mainspring.errors import Conflict
from mainspring.store.operating import Window
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.versions import DeploymentRow
from mainspring.wire.deploying import Deployment


class PromoteCall(Struct):
    """New runs get that version. Planned again after a doubtful commit, it finds its row."""

    env_id: int
    number: int
    version: str
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        return

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        state.current[self.env_id] = self.version  # read anew if the commit does not hold
        batch.changes.promotion.append((self.env_id, self.number, self.version, batch.now))
        batch.answer(self.future, None)
        return True


async def promote(owner: Owner, env: EnvironmentRow, name: str) -> Deployment:
    """Let new runs get a version; "" = any. Those that have started keep theirs.

    Raises: NotFound, Conflict for a version that is gone.
    """
    async with owner.state.deploying:
        if not name:
            await _set(owner, env, "")
            return Deployment("", "", 0, 0, current=True)
        row = await deployments.found(owner, env, name)
        await _make_current(owner, env, row)
        return await deployments.shown(owner, env, row)


async def rollback(owner: Owner, env: EnvironmentRow) -> Deployment:
    """Promote what was deployed before the current version and has been promoted once.

    Raises: Conflict when there is none, or it is gone.
    """
    async with owner.state.deploying:
        version = owner.state.current.get(env.env_id, "")
        if not version:
            raise Conflict(
                "Nothing is promoted here, so there is nothing to roll back from. `mainspring "
                "deploys ls` lists the versions, `mainspring promote VERSION` takes one."
            )
        now = await deployments.found(owner, env, version)
        before = {one.version for one in await deployments.history(owner, env)}
        window = Window("", now.deployment_id, deployments.PAGE_LIMIT)
        place = owner.state.shard_id, env.env_id
        rows = await owner.store.catalog.deployments(*place, window)
        target = next((row for row in rows if row.version and row.version in before), None)
        if target is None:
            raise Conflict(
                f"No version before {version} was ever promoted. `mainspring deploys ls` lists the "
                "versions, `mainspring promote VERSION` takes any of them."
            )
        await _make_current(owner, env, target)
        return await deployments.shown(owner, env, target)


async def _make_current(owner: Owner, env: EnvironmentRow, row: DeploymentRow) -> None:
    state, env_id = owner.state, env.env_id
    if row.bundle_ref is not None or (row.bundle_hash and not serves(state, env_id, row.version)):
        await deployments.bundle(owner, env, row.version)  # it must be there to be fetched
    elif row.image and not serves(state, env_id, row.version):
        await deployments.bundle(owner, env, row.version)  # says what is to be started
    elif not serves(state, env_id, row.version):
        raise Conflict(
            f"Version {row.version!r} is gone: no worker has it now, and its code is not kept here "
            "because it was never deployed. Start its workers again and repeat, or deploy the code "
            "with `mainspring deploy`."
        )
    manifest = await deployments.manifest(owner, env, row)
    await _set(owner, env, row.version)
    learn(state, env_id, row.version, manifest.tasks, manifest.queues)
    catalog = owner.store.catalog
    await catalog.register(env_id, row.version, manifest.tasks, manifest.queues)
    await declared.sync(owner, env, row.version, manifest.tasks)


async def _set(owner: Owner, env: EnvironmentRow, version: str) -> None:
    if owner.state.current.get(env.env_id, "") == version:
        return
    latest = await deployments.history(owner, env)
    number = latest[0].number + 1 if latest else 1
    future: Future[None] = asyncio.get_running_loop().create_future()
    owner.submit(PromoteCall(env.env_id, number, version, future))
    await future
