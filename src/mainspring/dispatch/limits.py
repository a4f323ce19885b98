"""Limits of environments, queues and keys as values. No counting, no order."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.dispatch.rate import RateLimit


@dataclass(frozen=True, slots=True)
class EnvironmentLimits:
    """What an environment may run at once.

    Attributes:
        limit: most runs of one queue; None = no limit.
        burst: the whole environment may run floor(limit * burst); at least 1.0.
        paused: nothing of it is claimed.
    """

    limit: int | None = None
    burst: float = 1.0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What a queue may run at once, and its share of the environment.

    Attributes:
        limit: most runs without a key, and most runs of each key; None = no limit.
        total: most runs over all keys; None = no limit.
        weight: share against the other queues of the environment, above 0.
        rate: rate limit, if any.
        paused: nothing of it is claimed.
    """

    limit: int | None = None
    total: int | None = None
    weight: float = 1.0
    rate: RateLimit | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What differs for one concurrency key of a queue.

    Attributes:
        limit: overrides the queue's limit for this key; None = the queue's.
        weight: share against the other keys of the queue, above 0.
        paused: nothing of this key is claimed.
    """

    limit: int | None = None
    weight: float = 1.0
    paused: bool = False
