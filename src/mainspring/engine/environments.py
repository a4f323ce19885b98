"""An environment as a whole: paused, limited; and branches of `preview`, listed and archived."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec
from msgspec import UNSET

from mainspring.engine import schedules
from mainspring.engine.elsewhere import check_held
from mainspring.engine.owner import Owner
from mainspring.errors import Conflict, InvalidOptions
from mainspring.model import branch
from mainspring.model.limits import check_number
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import environments as wire
from mainspring.wire.operating import ListSchedules

PAGE = 100


async def answer(
    owner: Owner, env: EnvironmentRow, request: wire.EnvironmentRequest
) -> wire.EnvironmentResponse:
    """Answer one of these requests. Raises: as the function that answers it."""
    match request:
        case wire.GetEnvironment():
            return state(owner, env)
        case wire.SetEnvironment():
            return await limit(owner, env, request)
        case wire.ListBranches():
            check_preview(env)
            rows = await owner.store.catalog.environments()
            return wire.BranchList(sorted(row.slug for row in rows if branch.is_branch(row.slug)))
        case wire.ArchiveEnvironment():
            return await archive(owner, env)
        case wire.CreateBranch():
            raise AssertionError("the engine answers it, because it concerns another shard")
        case _:
            assert_never(request)


def check_preview(env: EnvironmentRow) -> None:
    """Refuse branches of anything else. Raises: Conflict."""
    if env.slug != branch.PREVIEW:
        raise Conflict(
            f"Branches belong to the environment {branch.PREVIEW!r}, and this is {env.slug!r}: use "
            "a key of that one."
        )


def state(owner: Owner, env: EnvironmentRow) -> wire.EnvironmentState:
    """How it stands."""
    row = owner.state.environments[env.env_id]
    node = owner.state.core.tree.environment(env.env_id)
    queued = sum(queue.queued for queue in node.queues.values())
    return wire.EnvironmentState(row.slug, row.paused, row.limit, row.burst, node.running, queued)


async def pause(owner: Owner, env: EnvironmentRow, paused: bool) -> wire.EnvironmentState:
    """Keep whether the environment is paused, then apply it."""
    await owner.store.operations.pause(env.env_id, paused)
    return await _apply(owner, env, paused=paused)


async def limit(
    owner: Owner, env: EnvironmentRow, wanted: wire.SetEnvironment
) -> wire.EnvironmentState:
    """Keep how many runs it may have at once, then apply it. Raises: InvalidOptions."""
    row = owner.state.environments[env.env_id]
    most = row.limit if wanted.limit is UNSET else wanted.limit
    burst = row.burst if wanted.burst is UNSET else wanted.burst
    if most is not None:
        check_number(most, "limit", 0, wire.MOST)
    if not 1 <= burst <= wire.MOST_BURST:
        raise InvalidOptions(
            f"burst is {burst}; 1 to {wire.MOST_BURST:.0f} is allowed: all queues together may run "
            "that many times the limit."
        )
    await owner.store.operations.limit(env.env_id, most, burst)
    return await _apply(owner, env, limit=most, burst=burst)


async def archive(owner: Owner, env: EnvironmentRow) -> wire.EnvironmentState:
    """End a branch for good; what of it executes ends by itself. Raises: Conflict for another
    environment.
    """
    if not branch.is_branch(env.slug):
        raise Conflict(
            f"Only branches are archived, and {env.slug!r} is none. `mainspring environments "
            "pause` holds an environment."
        )
    skip = 0
    while rows := (await schedules.page(owner, env, ListSchedules(skip, PAGE))).schedules:
        for row in rows:
            await schedules.switch(owner, env, row.id, False)
        skip += PAGE
    slug = branch.archived(env.slug, env.env_id)
    await owner.store.operations.archive(env.env_id, slug, owner.state.clock.now())
    return await _apply(owner, env, slug=slug, paused=True)


async def _apply(owner: Owner, env: EnvironmentRow, **changes: Any) -> wire.EnvironmentState:
    await check_held(owner.store, owner.state.shard_id, owner.epoch)
    row = msgspec.structs.replace(owner.state.environments[env.env_id], **changes)
    owner.state.set_environment(row)
    owner.ring()
    return state(owner, env)
