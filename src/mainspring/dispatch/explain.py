"""Why a queued run is not running: the gate that holds it. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mainspring.dispatch.core import Core
from mainspring.dispatch.lanes import LaneKey, pack
from mainspring.dispatch.limits import NO_LIMIT
from mainspring.dispatch.nodes import Key, Lane


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
        gate: what holds it. BEHIND: only the runs of its lane that go first. NOTHING: it goes at
            its lane's next turn.
        position: runs of its lane that go before it.
        exact: whether `position` is exact; else it is at least that.
        running: runs that hold slots of that gate (None if the gate counts nothing).
        limit: the gate's limit (None if it has none).
        holders: run ids that hold the gate's slots, as given by the caller.
        free_at: epoch ms at which the rate lets the lane go (rate gate only).
        starts_in_ms: estimate from the key's recent completions; None without a record, or while
            something is paused.
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

_Scope = tuple[int, str | None, str | None]


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
    lane = core.tree.find(lane_key)
    if lane is None:
        return Explanation(Gate.NOTHING, 0, True)
    position, exact = lane.position(pack(ord, run_id), resume)
    starts_in = _starts_in(lane.key, position, now)
    if (paused := _paused(lane)) is not None:
        return Explanation(paused, position, exact)
    if (full := _full(lane)) is not None:
        gate, running, limit, scope = full
        ids = tuple(holders(*scope)) if holders else ()
        return Explanation(gate, position, exact, running, limit, ids, None, starts_in)
    if not resume and (free_at := _rate_free_at(core, lane, now)):
        starts_in = max(starts_in or 0, free_at - now)
        return Explanation(
            Gate.RATE_LIMIT, position, exact, free_at=free_at, starts_in_ms=starts_in
        )
    if free_slots == 0:
        return Explanation(Gate.NO_WORKER, position, exact, starts_in_ms=starts_in)
    gate = Gate.BEHIND if position or not exact else Gate.NOTHING
    return Explanation(gate, position, exact, starts_in_ms=starts_in if position else 0)


def _paused(lane: Lane) -> Gate | None:
    queue = lane.key.queue
    if queue.env.limits.paused:
        return Gate.ENVIRONMENT_PAUSED
    if queue.limits.paused:
        return Gate.QUEUE_PAUSED
    limits = queue.key_limits.get(lane.key.name)
    return Gate.KEY_PAUSED if limits is not None and limits.paused else None


def _full(lane: Lane) -> tuple[Gate, int, int, _Scope] | None:
    """Return the narrowest gate without room: its count, its limit, and whose slots it counts."""
    key, queue, env = lane.key, lane.key.queue, lane.key.queue.env
    if key.running >= key.cap < NO_LIMIT:
        gate = Gate.KEY_LIMIT if key.name else Gate.QUEUE_LIMIT
        return gate, key.running, key.cap, (env.id, queue.name, key.name)
    total, base = queue.limits.total, env.limits.limit
    if total is not None and queue.running >= total:
        return Gate.QUEUE_TOTAL, queue.running, total, (env.id, queue.name, None)
    if base is not None and queue.running >= base:
        return Gate.ENVIRONMENT_LIMIT, queue.running, base, (env.id, queue.name, None)
    if env.running >= env.cap:
        return Gate.ENVIRONMENT_LIMIT, env.running, env.cap, (env.id, None, None)
    return None


def _rate_free_at(core: Core, lane: Lane, now: int) -> int:
    key, queue, rate = lane.key, lane.key.queue, lane.key.queue.rate
    if rate is None:
        return 0
    bucket = (queue.env.id, queue.name, key.name if rate.per_key else "")
    cost = lane.first_cost() if lane.in_memory else 1
    return core.rates.free_at(bucket, rate, cost, now)


def _starts_in(key: Key, position: int, now: int) -> int | None:
    """Estimate when a run goes: after as many completions of its key as runs go first, and one."""
    pace_us = key.pace_us
    if not pace_us and key.done and key.since:
        pace_us = (now - key.since) * 1000 // key.done
    return (position + 1) * pace_us // 1000 if pace_us else None
