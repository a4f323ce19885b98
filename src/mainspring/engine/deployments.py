"""The versions of an environment's tasks: listed, found, shown, fetched. Reads rows and memory."""

from __future__ import annotations

import difflib
from typing import Final

import msgspec

from mainspring.engine import bundles
from mainspring.engine.neighbours import cut
from mainspring.engine.owner import Owner
from mainspring.engine.versions import serves
from mainspring.errors import Conflict, NotFound
from mainspring.ids import keyed, lower_bound, time_of
from mainspring.model.limits import DAY_MS
from mainspring.store.operating import Window
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.versions import DeploymentRow, PromotionRow
from mainspring.wire.deploying import Bundle, Deployment, DeploymentDetail, Manifest
from mainspring.wire.operating import DeploymentPage, ListDeployments

PAGE_LIMIT = 100
PREFIX = "deployment"
KEYS_MS: Final = 2 * DAY_MS
"""How far back a key is looked for: twice as long as an upload is kept."""
HISTORY: Final = 200
"""Promotions that are looked at; what was promoted before them counts as never promoted."""

_decode_manifest: Final = msgspec.json.Decoder(Manifest).decode


async def page(owner: Owner, env: EnvironmentRow, wanted: ListDeployments) -> DeploymentPage:
    """One page, newest first, with cursors to its neighbours."""
    low, high = wanted.before or "", wanted.after or "~"
    if wanted.created_from is not None:
        low = max(low, lower_bound(PREFIX, max(wanted.created_from, 0)))
    if wanted.created_to is not None:
        high = min(high, lower_bound(PREFIX, max(wanted.created_to, 0) + 1))
    limit = max(1, min(wanted.limit, PAGE_LIMIT))
    window = Window(low, high, limit, newer=wanted.before is not None)
    rows = await owner.store.catalog.deployments(owner.state.shard_id, env.env_id, window)
    found, next_, previous = cut(rows, window, after=wanted.after is not None)
    promoted = await history(owner, env)
    return DeploymentPage(
        [_shown(owner, env, row, promoted) for row in found],
        next=next_.deployment_id if next_ is not None else None,
        previous=previous.deployment_id if previous is not None else None,
    )


async def current(owner: Owner, env: EnvironmentRow) -> Deployment:
    """The promoted version; without one the newest that has a worker, or else the newest.

    Raises: NotFound.
    """
    promoted = owner.state.current.get(env.env_id, "")
    if promoted:
        return await shown(owner, env, await found(owner, env, promoted))
    window = Window("", "~", PAGE_LIMIT)
    rows = await owner.store.catalog.deployments(owner.state.shard_id, env.env_id, window)
    if not rows:
        raise NotFound("No version of the tasks was deployed or announced by a worker here yet.")
    served = (row for row in rows if serves(owner.state, env.env_id, row.version))
    return await shown(owner, env, next(served, rows[0]))


async def found(owner: Owner, env: EnvironmentRow, name: str) -> DeploymentRow:
    """The deployment of that version, id or external id. Raises: NotFound with near names."""
    versions, place = owner.store.catalog, (owner.state.shard_id, env.env_id)
    row = await versions.deployment(*place, name)
    if row is None:
        row = await versions.deployment_of_external(*place, name)
    if row is not None:
        return row
    for row in await versions.deployments(*place, Window("", f"{name}!", 1)):
        if row.deployment_id == name:
            return row
    rows = await versions.deployments(*place, Window("", "~", PAGE_LIMIT))
    known = [row.version for row in rows if row.version]
    near = difflib.get_close_matches(name, known, 3) or known[:3]
    hint = f"There are {', '.join(near)}" if near else "Nothing was deployed here yet"
    raise NotFound(
        f"No version {name[:80]!r} in this environment. {hint}; `mainspring deploys ls` lists all.",
        details=near,
    )


async def of_key(owner: Owner, env: EnvironmentRow, key: str) -> DeploymentRow | str:
    """The deployment that was made with that key in the last two days, or the id of a new one,
    which sorts behind all others.
    """
    shard_id, now = owner.state.shard_id, owner.state.clock.now()
    low, high, at = lower_bound(PREFIX, max(now - KEYS_MS, 0)), "~", now
    while True:
        window = Window(low, high, PAGE_LIMIT)
        rows = await owner.store.catalog.deployments(shard_id, env.env_id, window)
        for row in rows:
            made_at = time_of(row.deployment_id)
            if row.deployment_id == keyed(PREFIX, made_at, shard_id, key):
                return row
            at = max(at, made_at + 1)
        if len(rows) < PAGE_LIMIT:
            return keyed(PREFIX, at, shard_id, key)
        high = rows[-1].deployment_id


async def shown(owner: Owner, env: EnvironmentRow, row: DeploymentRow) -> Deployment:
    """One of them as it stands."""
    return _shown(owner, env, row, await history(owner, env))


async def detail(owner: Owner, env: EnvironmentRow, name: str) -> DeploymentDetail:
    """One of them with what its code declares. Raises: NotFound."""
    row = await found(owner, env, name)
    return DeploymentDetail(await shown(owner, env, row), await manifest(owner, env, row))


async def manifest(owner: Owner, env: EnvironmentRow, row: DeploymentRow) -> Manifest:
    """What the code of a version declares: as it was deployed, or as its last worker told."""
    if row.manifest_ref is not None:
        return _decode_manifest(await owner.objects.get(row.manifest_ref))
    hello = owner.state.announced.get((env.env_id, row.version))
    return Manifest(hello.tasks, hello.queues) if hello is not None else Manifest([], [])


async def bundle(owner: Owner, env: EnvironmentRow, name: str) -> Bundle:
    """The code of a version. Raises: NotFound, Conflict when it is not kept here."""
    row = await found(owner, env, name)
    if row.image:
        raise Conflict(
            f"The code of version {row.version!r} is in the image {row.image!r}. Start containers "
            f"of it with `mainspring worker --version {row.version}`."
        )
    if row.bundle_ref is None and row.bundle_hash:
        raise Conflict(
            f"The code of version {row.version!r} is gone: it was old, and no run needed it; the "
            "setting server.keep_versions says how many are kept. Deploy it again."
        )
    if row.bundle_ref is None:
        raise Conflict(
            f"The code of version {row.version!r} is not kept here: only workers have announced it."
            " `mainspring deploy` keeps the code of a folder."
        )
    try:
        text = await owner.objects.get(row.bundle_ref)
        return Bundle(row.version, row.bundle_hash, bundles.opened(text))
    except NotFound as error:
        raise Conflict(
            f"The code of version {row.version!r} is gone: {error.message} Deploy it again."
        ) from error


async def history(owner: Owner, env: EnvironmentRow) -> list[PromotionRow]:
    """What was promoted, the latest first."""
    versions = owner.store.catalog
    return await versions.promotions(owner.state.shard_id, env.env_id, HISTORY)


def _shown(
    owner: Owner, env: EnvironmentRow, row: DeploymentRow, promoted: list[PromotionRow]
) -> Deployment:
    pool = owner.state.pools.get((env.env_id, row.version))
    workers = sum(one.deliver is not None for one in pool.sessions) if pool is not None else 0
    times = (one.promoted_at for one in promoted if one.version == row.version)
    return Deployment(
        row.deployment_id,
        row.version,
        row.created_at,
        row.seen_at,
        workers,
        bool(row.version) and owner.state.current.get(env.env_id) == row.version,
        next(times, None),
        row.external_id,
        row.bundle_hash,
        row.bundle_size,
        row.runtime,
        row.image,
    )
