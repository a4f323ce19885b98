"""What people set for queues: pauses, and limits over the code's own."""

from __future__ import annotations

import heapq
from itertools import islice
from typing import Any, Final

import msgspec

from mainspring.dispatch.limits import NO_LIMIT, PLAIN_KEY
from mainspring.dispatch.nodes import Key
from mainspring.engine import query
from mainspring.engine.elsewhere import check_held
from mainspring.engine.owner import Owner
from mainspring.engine.state import State
from mainspring.errors import InvalidOptions, NotFound
from mainspring.store.protocol import EnvironmentRow, QueueRow
from mainspring.wire import calls

MOST_KEYS: Final = 200


async def answer(
    owner: Owner, env: EnvironmentRow, request: calls.QueueRequest
) -> calls.QueueList | calls.KeyList | calls.Queue:
    """Answer one of these requests. Raises: NotFound, InvalidOptions."""
    if isinstance(request, calls.ListQueues):
        return query.queues(owner, env)
    if isinstance(request, calls.ListKeys):
        return keys(owner, env, request)
    if isinstance(request, calls.PauseQueue):
        return await change_queue(owner, env, request.name, paused=request.paused)
    return await set_queue(owner, env, request)


def keys(owner: Owner, env: EnvironmentRow, request: calls.ListKeys) -> calls.KeyList:
    """The keys of a queue, those with the most waiting runs first. Raises: NotFound."""
    row = _row(owner.state, env, request.name)
    queue = owner.state.core.tree.environments[env.env_id].queues.get(row.spec.name)
    if queue is None:
        return calls.KeyList([])
    looked_at = [_key(key) for key in islice(queue.keys.values(), query.KEYS)]
    busy = [key for key in looked_at if key.queued or key.running]
    limit = max(1, min(request.limit, MOST_KEYS))
    first = heapq.nsmallest(limit, busy, key=lambda key: (-key.queued, -key.running, key.key))
    return calls.KeyList(first, more=len(busy) > limit or len(queue.keys) > query.KEYS)


def _key(key: Key) -> calls.QueueKey:
    limits = key.queue.key_limits.get(key.name, PLAIN_KEY)
    return calls.QueueKey(
        key.name,
        queued=sum(lane.queued for lane in key.lanes()),
        running=key.running,
        limit=None if limits.paused or key.cap >= NO_LIMIT else key.cap,
        paused=limits.paused,
        oldest_at=query.oldest(key),
    )


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
        row = msgspec.structs.replace(_row(state, env, name), **changes)
        await owner.store.catalog.set_queue(row)
        await check_held(owner.store, owner.state.shard_id, owner.epoch)
        state.set_queue(row)
    owner.ring()
    return query.queue(owner, row)


def _row(state: State, env: EnvironmentRow, name: str) -> QueueRow:
    row = state.queues.get((env.env_id, name))
    if row is None:
        known = ", ".join(sorted(q for e, q in state.queues if e == env.env_id)[:10])
        raise NotFound(f"No queue {name[:128]!r} in this environment. Known: {known or 'none'}.")
    return row
