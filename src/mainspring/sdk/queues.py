"""Reading and steering the queues of an environment. Declaring one is `limits.Queue`."""

from __future__ import annotations

import builtins

from mainspring.errors import NotFound
from mainspring.sdk.transport import ask
from mainspring.wire.calls import ListQueues, PauseQueue, Queue, QueueList, SetQueue


async def list() -> builtins.list[Queue]:
    """Every queue, with what waits and what runs in it."""
    return (await ask(ListQueues(), QueueList)).queues


async def retrieve(name: str) -> Queue:
    """One queue. Raises: NotFound."""
    for queue in await list():
        if queue.name == name:
            return queue
    raise NotFound(f"No queue {name!r} is known; `mainspring queues ls` shows those that are.")


async def pause(name: str) -> Queue:
    """Start nothing more from the queue; what runs goes on. Raises: NotFound."""
    return await ask(PauseQueue(name, paused=True), Queue)


async def resume(name: str) -> Queue:
    """Start runs from the queue again. Raises: NotFound."""
    return await ask(PauseQueue(name, paused=False), Queue)


async def set_limit(name: str, limit: int | None) -> Queue:
    """Put another concurrency limit in force than the code's, until it is reset; None: no limit.

    Raises: NotFound.
    """
    return await ask(SetQueue(name, limit), Queue)


async def reset_limit(name: str) -> Queue:
    """Put the code's own concurrency limit in force again. Raises: NotFound."""
    return await ask(SetQueue(name, reset=True), Queue)
