"""Limits of environments, queues and keys as values. No counting, no order."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.dispatch.rate import RateLimit

NO_LIMIT = 1 << 62
"""A cap that no count reaches, so that "no limit" needs no branch."""


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

    def __post_init__(self) -> None:
        """Refuse limits without a meaning.

        Raises:
            ValueError: a negative limit, or a burst below 1.
        """
        _not_negative("limit", self.limit)
        if self.burst < 1:
            raise ValueError(f"environment burst must be at least 1, got {self.burst}")

    @property
    def cap(self) -> int:
        """Most runs of the environment at once; 0 while it is paused."""
        if self.paused:
            return 0
        # The product of two decimal numbers may fall a hair below the integer they mean.
        return NO_LIMIT if self.limit is None else int(self.limit * self.burst + 1e-9)


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

    def __post_init__(self) -> None:
        """Refuse limits without a meaning.

        Raises:
            ValueError: a negative limit or total, or a weight that is not above 0.
        """
        _not_negative("limit", self.limit)
        _not_negative("total", self.total)
        _above_zero(self.weight)

    def cap(self, environment: EnvironmentLimits) -> int:
        """Most runs of the queue at once: its total, at most the environment's limit."""
        if self.paused:
            return 0
        total = NO_LIMIT if self.total is None else self.total
        return total if environment.limit is None else min(total, environment.limit)


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

    def __post_init__(self) -> None:
        """Refuse limits without a meaning.

        Raises:
            ValueError: a negative limit, or a weight that is not above 0.
        """
        _not_negative("limit", self.limit)
        _above_zero(self.weight)

    def cap(self, queue: QueueLimits) -> int:
        """Most runs of the key at once; 0 while it is paused."""
        if self.paused:
            return 0
        limit = queue.limit if self.limit is None else self.limit
        return NO_LIMIT if limit is None else limit


def _not_negative(name: str, limit: int | None) -> None:
    if limit is not None and limit < 0:
        raise ValueError(f"{name} must not be negative, got {limit}; None means no limit")


def _above_zero(weight: float) -> None:
    if weight <= 0:
        raise ValueError(f"weight must be above 0, got {weight}; pause it to stop it")


PLAIN_KEY = KeyLimits()
