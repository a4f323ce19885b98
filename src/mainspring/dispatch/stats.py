"""Counts of a core for people and for the audit. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.dispatch.core import Core
from mainspring.dispatch.limits import EnvironmentLimits, QueueLimits


@dataclass(frozen=True, slots=True)
class KeyStats:
    """One concurrency key: waiting and running runs, and its limit."""

    key: str
    queued: int
    running: int
    limit: int | None
    paused: bool


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue. `oldest_ord` is the smallest ord in memory; `top` the keys with most waiting."""

    queue: str
    queued: int
    running: int
    limits: QueueLimits
    keys: int
    oldest_ord: int | None
    top: tuple[KeyStats, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentStats:
    """One environment: waiting and running runs, its limits, (queue, queued, running) by name."""

    env: int
    queued: int
    running: int
    limits: EnvironmentLimits
    queues: tuple[tuple[str, int, int], ...]


def environment_stats(core: Core, env: int) -> EnvironmentStats:
    """Count an environment; costs one step per queue."""
    raise NotImplementedError


def queue_stats(core: Core, env: int, queue: str, top: int = 10) -> QueueStats:
    """Count a queue; costs one step per key of the queue that is in memory."""
    raise NotImplementedError


def audit(core: Core) -> list[str]:
    """Recount everything the core counts; returns one line per difference, none if all agree."""
    raise NotImplementedError
