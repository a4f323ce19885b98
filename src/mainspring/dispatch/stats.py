"""Counts of a core for people. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest

from mainspring.dispatch.core import Core
from mainspring.dispatch.lanes import unpack
from mainspring.dispatch.limits import EnvironmentLimits, QueueLimits
from mainspring.dispatch.nodes import Environment, Key, Lane, Queue


@dataclass(frozen=True, slots=True)
class KeyStats:
    """One concurrency key: waiting and running runs, its own or its queue's limit, its pause."""

    key: str
    queued: int
    running: int
    limit: int | None
    paused: bool


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue.

    Attributes:
        keys: concurrency keys that have waiting or running runs ("" counts once it was used).
        oldest_ord: the smallest ord in memory; None if nothing is in memory.
        top: the keys with most waiting runs, most first, then by name.
    """

    queue: str
    queued: int
    running: int
    limits: QueueLimits
    keys: int
    oldest_ord: int | None
    top: tuple[KeyStats, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentStats:
    """One environment. `queues` lists (queue, queued, running) by name."""

    env: int
    queued: int
    running: int
    limits: EnvironmentLimits
    queues: tuple[tuple[str, int, int], ...]


def environment_stats(core: Core, env: int) -> EnvironmentStats:
    """Count an environment; costs one step per queue."""
    node = core.tree.environments.get(env) or Environment(env)
    queues = tuple((q.name, q.queued, q.running) for _, q in sorted(node.queues.items()))
    return EnvironmentStats(env, sum(q[1] for q in queues), node.running, node.limits, queues)


def queue_stats(core: Core, env: int, queue: str, top: int = 10) -> QueueStats:
    """Count a queue; costs one step per key of the queue that is in memory."""
    environment = core.tree.environments.get(env) or Environment(env)
    node = environment.queues.get(queue) or Queue(environment, queue)
    heads = [head for key in node.keys.values() for lane in key.lanes() if (head := _head(lane))]
    waiting = ((-queued, key.name, key) for key in node.keys.values() if (queued := _queued(key)))
    return QueueStats(
        queue=queue,
        queued=node.queued,
        running=node.running,
        limits=node.limits,
        keys=len(node.keys),
        oldest_ord=unpack(min(heads))[0] if heads else None,
        top=tuple(_key_stats(key) for _, _, key in nsmallest(top, waiting)),
    )


def walk(core: Core) -> Iterator[tuple[int, str, str, int, int]]:
    """Yield (environment, queue, key, queued, running) of every key.

    It may be left standing between steps while the core goes on (an audit in slices): a key that
    comes or goes meanwhile may be missed, every other is met once.
    """
    for env in list(core.tree.environments.values()):
        for queue in list(env.queues.values()):
            for name in list(queue.keys):
                key = queue.keys.get(name)
                if key is not None:
                    yield env.id, queue.name, name, _queued(key), key.running


def _queued(key: Key) -> int:
    return sum(lane.queued for lane in key.lanes())


def _head(lane: Lane) -> str | None:
    heads = [*(lane.resumes or [])[:1], *lane.items[lane.head : lane.head + 1]]
    return min(heads, default=None)


def _key_stats(key: Key) -> KeyStats:
    limits = key.queue.key_limits.get(key.name)
    limit = key.queue.limits.limit if limits is None or limits.limit is None else limits.limit
    return KeyStats(
        key.name, _queued(key), key.running, limit, limits is not None and limits.paused
    )
