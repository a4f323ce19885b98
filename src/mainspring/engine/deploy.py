"""A new version of an environment's code: checked, stored and given its number. No promotion."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from asyncio import Future
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.engine import bundles, deployments
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.owner import Owner
from mainspring.engine.state import State
from mainspring.errors import Conflict, InvalidOptions, PayloadTooLarge
from mainspring.model import limits, schedule
from mainspring.model.deployment import (
    BUNDLE_LIMIT,
    EXTERNAL_ID_LENGTH,
    IMAGE_LENGTH,
    day_prefix,
    next_version,
)
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.versions import DeploymentRow
from mainspring.wire.deploying import Deploy, Deployment, Manifest

_encode: Final = msgspec.json.Encoder().encode
_NAME: Final = 2 * limits.NAME_LENGTH
"""Of what is named after a task, too."""


class DeployCall(Struct):
    """A version is kept. Planned again after a doubtful commit, it finds its row."""

    env_id: int
    row: DeploymentRow
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        return

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        one = self.row
        batch.changes.deployment.append(
            (
                self.env_id,
                one.version,
                one.deployment_id,
                one.created_at,
                one.seen_at,
                one.external_id,
                one.bundle_ref,
                one.bundle_hash,
                one.bundle_size,
                one.manifest_ref,
                one.runtime,
                one.image,
            )
        )
        if one.external_id is not None:
            state.name_version(self.env_id, one.external_id, one.version)
        batch.answer(self.future, None)
        return True


async def deploy(owner: Owner, env: EnvironmentRow, wanted: Deploy) -> Deployment:
    """Keep a version of the code, as the next of its day.

    Raises: InvalidOptions for a bundle that is not what it says, PayloadTooLarge, Conflict when the
    external id has other code.
    """
    size = _checked(wanted)
    state, versions = owner.state, owner.store.catalog
    place = state.shard_id, env.env_id
    async with state.deploying:
        if wanted.external_id is not None:
            old = await versions.deployment_of_external(*place, wanted.external_id)
            if old is not None and (old.bundle_hash, old.image) != (wanted.hash, wanted.image):
                raise Conflict(
                    f"External id {wanted.external_id!r} is that of version {old.version}, which "
                    "has other code. Give each state of the code an id of its own."
                )
            if old is not None:
                return await deployments.shown(owner, env, old)
        now = state.clock.now()
        if wanted.request_key:
            made = await deployments.of_key(owner, env, wanted.request_key)
            if isinstance(made, DeploymentRow):
                return await deployments.shown(owner, env, made)
            deployment_id = made
        else:
            deployment_id = state.ids.new(deployments.PREFIX, now, state.shard_id)
        bundle_ref = None
        if not wanted.image:
            bundle_ref = await owner.objects.put(bundles.sealed(deployment_id, wanted.bundle))
        manifest_ref = await owner.objects.put(_encode(wanted.manifest).decode())
        prefix = day_prefix(now)
        version = next_version(prefix, await versions.versions(*place, prefix))
        row = DeploymentRow(
            version,
            deployment_id,
            now,
            now,
            wanted.external_id,
            bundle_ref,
            wanted.hash,
            size,
            manifest_ref,
            wanted.runtime,
            wanted.image,
        )
        future: Future[None] = asyncio.get_running_loop().create_future()
        owner.submit(DeployCall(env.env_id, row, future))
        await future
        return await deployments.shown(owner, env, await deployments.found(owner, env, version))


def _checked(wanted: Deploy) -> int:
    """The size of the bundle, whose content is what its hash says. Raises: as `deploy`."""
    if wanted.external_id is not None:
        limits.check_text(wanted.external_id, "external_id", EXTERNAL_ID_LENGTH)
    if wanted.runtime:
        limits.check_text(wanted.runtime, "runtime", limits.NAME_LENGTH)
    if not wanted.manifest.tasks:
        raise InvalidOptions(
            "The code declares no task, so nothing could run in that version. Put @task on a "
            "function; hidden files, tests and what tasks.ignore names are not looked at."
        )
    _check_manifest(wanted.manifest)
    if wanted.image:
        limits.check_text(wanted.image, "image", IMAGE_LENGTH)
        if wanted.bundle or wanted.hash:
            raise InvalidOptions("A version is a bundle or an image, not both.")
        return 0
    try:
        data = base64.b64decode(wanted.bundle, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidOptions(f"The bundle is not base64: {error}.") from error
    if len(data) > BUNDLE_LIMIT:
        raise PayloadTooLarge(
            f"The bundle has {len(data):,} bytes; at most {BUNDLE_LIMIT:,} are kept."
        )
    if hashlib.sha256(data).hexdigest() != wanted.hash:
        raise InvalidOptions("The bundle is not what its hash says; send it again.")
    return len(data)


def _check_manifest(manifest: Manifest) -> None:
    """Refuse names, limits and schedules that cannot be. Raises: InvalidOptions."""
    seen = set[str]()
    for task in manifest.tasks:
        limits.check_text(task.id, "the id of a task", _NAME)
        limits.check_text(task.queue, f"the queue of task {task.id!r}", _NAME)
        if task.id in seen:
            raise InvalidOptions(f"Task {task.id!r} is declared twice; give each an id of its own.")
        seen.add(task.id)
        for one in task.schedules:
            try:
                schedule.check(one.cron, one.timezone, one.window, one.catch_up)
            except InvalidOptions as error:
                raise InvalidOptions(
                    f"Task {task.id!r} declares a schedule: {error.message}"
                ) from error
    for queue in manifest.queues:
        limits.check_text(queue.name, "the name of a queue", _NAME)
        if queue.limit is not None:
            limits.check_number(queue.limit, f"the limit of queue {queue.name!r}", 0, 1 << 31)
