"""Why a queued run is not running: the gate that holds it. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mainspring.dispatch.core import Core
from mainspring.dispatch.lanes import LaneKey


class Gate(StrEnum):
    """What a queued run waits for."""

    ENVIRONMENT_PAUSED = "environment_paused"
    QUEUE_PAUSED = "queue_paused"
    KEY_PAUSED = "key_paused"
    ENVIRONMENT_LIMIT = "environment_limit"
    QUEUE_LIMIT = "queue_limit"
    QUEUE_TOTAL = "queue_total"
    KEY_LIMIT = "key_limit"
    RATE_LIMIT = "rate_limit"
    NO_WORKER = "no_worker"
    BEHIND = "behind"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one run.

    Attributes:
        gate: what holds it.
        position: runs of its lane that go before it.
        exact: whether `position` is exact; else it is at least that.
        running: runs that hold slots of that gate (None if the gate counts nothing).
        limit: the gate's limit (None if it has none).
        holders: run ids that hold the gate's slots, as given by the caller.
        free_at: epoch ms at which the rate lets the lane go (rate gate only).
        starts_in_ms: estimate from the lane's recent completions; None without a record.
    """

    gate: Gate
    position: int
    exact: bool
    running: int | None = None
    limit: int | None = None
    holders: tuple[str, ...] = ()
    free_at: int | None = None
    starts_in_ms: int | None = None


Holders = Callable[[int, str | None, str | None], Sequence[str]]
"""(environment, queue or None, key or None) -> ids of the runs that hold slots there."""


def explain(
    core: Core,
    lane_key: LaneKey,
    ord: int,
    run_id: str,
    now: int,
    *,
    resume: bool = False,
    free_slots: int | None = None,
    holders: Holders | None = None,
) -> Explanation:
    """Say which gate holds a queued run.

    `free_slots` is what the workers of that environment and version have free; with None the
    answer for a run that passes every gate is NOTHING, with 0 it is NO_WORKER.
    """
    raise NotImplementedError
