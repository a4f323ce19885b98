"""What people set for queues: pauses, and limits over the code's own."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.engine import query
from mainspring.engine.elsewhere import check_held
from mainspring.engine.owner import Owner
from mainspring.errors import InvalidOptions, NotFound
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls

Request = calls.ListQueues | calls.PauseQueue | calls.SetQueue


async def answer(
    owner: Owner, env: EnvironmentRow, request: Request
) -> calls.QueueList | calls.Queue:
    """Answer one of these requests. Raises: NotFound, InvalidOptions."""
    if isinstance(request, calls.ListQueues):
        return query.queues(owner, env)
    if isinstance(request, calls.PauseQueue):
        return await change_queue(owner, env, request.name, paused=request.paused)
    return await set_queue(owner, env, request)


async def set_queue(owner: Owner, env: EnvironmentRow, request: calls.SetQueue) -> calls.Queue:
    """Override the limit of a queue, or go back to the code's own."""
    if request.reset:
        return await change_queue(owner, env, request.name, override_limit=None, override_at=None)
    limit = request.limit
    if request.percent is not None:
        whole = owner.state.environments[env.env_id].limit
        if whole is None:
            raise InvalidOptions(
                f"Environment {env.slug!r} has no limit that {request.percent:g} % could be taken "
                "of; give a number."
            )
        limit = int(whole * request.percent / 100)
    if limit is not None and limit < 0:
        raise InvalidOptions(f"limit is {limit}; it must be 0 or more.")
    now = owner.state.clock.now()
    return await change_queue(owner, env, request.name, override_limit=limit, override_at=now)


async def change_queue(owner: Owner, env: EnvironmentRow, name: str, **changes: Any) -> calls.Queue:
    """Keep what people set for a queue, then apply it."""
    state = owner.state
    async with state.setting:
        row = state.queues.get((env.env_id, name))
        if row is None:
            known = ", ".join(sorted(q for e, q in state.queues if e == env.env_id)[:10])
            raise NotFound(
                f"No queue {name[:128]!r} in this environment. Known: {known or 'none'}."
            )
        row = msgspec.structs.replace(row, **changes)
        await owner.store.catalog.set_queue(row)
        await check_held(owner.store, owner.state.shard_id, owner.epoch)
        state.set_queue(row)
    owner.ring()
    return query.queue(owner, row)
