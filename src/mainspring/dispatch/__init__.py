"""The pure scheduler core: lanes, limits, fairness, rates and timers of one shard; no I/O."""

from mainspring.dispatch.audit import audit
from mainspring.dispatch.core import Core
from mainspring.dispatch.explain import Explanation, Gate, explain
from mainspring.dispatch.lanes import Entry, LaneKey
from mainspring.dispatch.limits import EnvironmentLimits, KeyLimits, QueueLimits
from mainspring.dispatch.nodes import Lane
from mainspring.dispatch.pick import Claim
from mainspring.dispatch.rate import RateLimit, RateState
from mainspring.dispatch.stats import (
    EnvironmentStats,
    KeyStats,
    QueueStats,
    environment_stats,
    queue_stats,
    walk,
)
from mainspring.dispatch.timers import Timer, Timers

__all__ = [
    "Claim",
    "Core",
    "Entry",
    "EnvironmentLimits",
    "EnvironmentStats",
    "Explanation",
    "Gate",
    "KeyLimits",
    "KeyStats",
    "Lane",
    "LaneKey",
    "QueueLimits",
    "QueueStats",
    "RateLimit",
    "RateState",
    "Timer",
    "Timers",
    "audit",
    "environment_stats",
    "explain",
    "queue_stats",
    "walk",
]
