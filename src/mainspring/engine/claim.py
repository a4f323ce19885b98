"""Fill free slots: dispatch chooses, the claim is written, and the runs are handed over."""

from __future__ import annotations

from typing import Final

import msgspec

from mainspring.engine.batch import Batch, Picked
from mainspring.engine.live import Live
from mainspring.engine.order import Wish, execute, has_metadata
from mainspring.engine.session import Pool, Session
from mainspring.engine.state import State
from mainspring.store.changes import Claimed, RunOptions
from mainspring.wire.worker import Fenced, Resume

LEAST: Final = 500
MOST: Final = 1_000
"""Claims in one commit: half of the slots there are, within these bounds. Workers run one half
while the other is being committed; one batch over all would have either side wait for the other."""

_decode_options = msgspec.json.Decoder(RunOptions).decode


def plan(state: State, batch: Batch) -> bool:
    """Claim for every pool with free slots; True when there may be more to claim at once."""
    more = False
    most = min(max(LEAST, sum(pool.slots for pool in state.pools.values()) // 2), MOST)
    for (env_id, version), pool in state.pools.items():
        free = min(pool.free, most - len(batch.changes.claim))
        if free <= 0:
            continue
        current = state.current.get(env_id, "")
        only = bool(current) and version != current  # new runs are for the current version
        claims = []
        former = state.awaited_versions.get((env_id, version))
        if former is not None:  # first: nothing is added to it any more
            claims = state.core.claim(env_id, former, free, batch.now, pinned=True)
        if free > len(claims):
            left = free - len(claims)
            claims += state.core.claim(env_id, version, left, batch.now, pinned=only)
        more = more or len(claims) == free
        for lane, ord, run_id, resume in claims:
            pin = version if lane.version == former else lane.version or current
            session = _session_for(state, pool, env_id, run_id, pin)
            session.holds.add(run_id)
            batch.picked[run_id] = Picked(lane, ord, session, resume, pin)
            batch.changes.claim.append((run_id, session.id, pin))
            if pin != lane.version:
                batch.changes.pin.append((run_id, pin))
    return more


def _session_for(state: State, pool: Pool, env_id: int, run_id: str, version: str) -> Session:
    """Who has the run's coroutine, also beyond its slots; else the next with a free one. A session
    may say of any run that it has it, so it must be one of the environment's, and of the version
    that the run is pinned to.
    """
    holder = state.holders.get(run_id)
    if (
        holder is not None
        and (holder.env_id, holder.version) == (env_id, version or holder.version)
        and holder.deliver
        and holder.slots > 0
    ):
        return holder
    session = pool.pick(apart=run_id in state.suspects)
    assert session is not None, "dispatch gave more runs than slots were offered"
    return session


def hand_over(state: State, batch: Batch, claimed: list[Claimed]) -> list[Wish]:
    """Make the claimed runs live and order their execution.

    Returns those whose order has to be put together first: from a stored payload, the journal, or
    for another session because this one does not know the task.
    """
    wishes = []
    for row in claimed:
        live = _made(state, batch.picked[row.run_id], row, batch.now)
        state.lives[row.run_id] = live
        if state.holders and _goes_on(state, batch, live):
            if live.untold is not None:
                wishes.append(Wish(live, row))
        elif (
            row.epoch > 1
            or row.payload is None
            or has_metadata(live)
            or row.task not in live.session.tasks
        ):
            live.untold = []
            wishes.append(Wish(live, row))
        else:
            batch.order(live.session, execute(live, row.payload, row))
        state.outcomes.pop(row.run_id, None)
    return wishes


def _goes_on(state: State, batch: Batch, live: Live) -> bool:
    """Whether the session has the run's coroutine: then it is ordered to go on, at once if what its
    waits have brought is still in memory. Another session's coroutine is of no use any more.
    """
    held = state.let_go(live.run_id)
    if held is None:
        return False
    holder, epoch = held
    if holder is not live.session or epoch != live.epoch - 1:
        batch.order(holder, Fenced(live.run_id, epoch))
        return False
    live.before = epoch
    outcomes = state.outcomes.get(live.run_id)
    if outcomes is None or any(entry.ref is not None for entry in outcomes):
        live.untold = []
    else:
        batch.order(holder, Resume(live.run_id, live.epoch, epoch, outcomes))
    return True


def _made(state: State, picked: Picked, row: Claimed, now: int) -> Live:
    spec = state.tasks.get((picked.lane.key.queue.env.id, row.task))
    live = Live(
        row.run_id,
        row.epoch,
        row.attempt,
        picked.lane,
        picked.ord,
        picked.session,
        spec[0] if spec is not None else None,
        row.task,
    )
    live.version = picked.version
    live.options = _decode_options(row.options) if row.options else None
    live.resume = picked.resume
    live.claimed_at = now
    live.started_at = row.started_at
    live.created_at = row.created_at
    live.active_ms = row.active_ms
    live.parent_id, live.root_id, live.depth = row.parent_id, row.root_id, row.depth
    return live
