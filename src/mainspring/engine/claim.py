"""Fill free slots: dispatch chooses, the claim is written, and the runs are handed over."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mainspring.engine.batch import Batch, Picked
from mainspring.engine.cancel import GRACE_MS
from mainspring.engine.finish import policy_of
from mainspring.engine.live import Live
from mainspring.engine.state import State
from mainspring.store.changes import Claimed, RunOptions
from mainspring.store.objects import Objects
from mainspring.store.protocol import Runs
from mainspring.wire.worker import Cancel, Execute, ToWorker

MOST = 500
"""Claims in one commit. Workers with more slots than that run one half while the other is being
committed; one batch over all slots would have either side wait for the other."""

_decode_options = msgspec.json.Decoder(RunOptions).decode


def plan(state: State, batch: Batch) -> bool:
    """Claim for every pool with free slots; True when there may be more to claim at once."""
    more = False
    for (env_id, version), pool in state.pools.items():
        free = min(pool.free, MOST - len(batch.changes.claim))
        if free <= 0:
            continue
        claims = state.core.claim(env_id, version, free, batch.now)
        more = more or len(claims) == free
        for lane, ord, run_id, resume in claims:
            session = pool.pick()
            assert session is not None, "dispatch gave more runs than slots were offered"
            session.holds.add(run_id)
            batch.picked[run_id] = Picked(lane, ord, session, resume)
            batch.changes.claim.append((run_id, session.id))
    return more


def hand_over(state: State, batch: Batch, claimed: list[Claimed]) -> list[Live]:
    """Make the claimed runs live and order their execution.

    Returns those whose order could not be given: a stored payload has to be fetched first, or the
    session does not know the task.
    """
    waiting = []
    for row in claimed:
        picked = batch.picked[row.run_id]
        session = picked.session
        spec = state.tasks.get((picked.lane.key.queue.env.id, row.task))
        live = Live(
            row.run_id,
            row.epoch,
            row.attempt,
            picked.lane,
            picked.ord,
            session,
            spec[0] if spec is not None else None,
            row.task,
        )
        live.options = _decode_options(row.options) if row.options else None
        live.resume = picked.resume
        live.claimed_at = batch.now
        live.started_at = row.started_at
        live.created_at = row.created_at
        live.active_ms = row.active_ms
        live.root_id, live.depth = row.root_id, row.depth
        state.lives[row.run_id] = live
        needs_text = row.payload is None or (live.options is not None and live.options.has_metadata)
        if needs_text or row.task not in session.tasks:
            waiting.append(live)
        else:
            batch.order(session, execute(live, row.payload or "null", row))
    return waiting


async def fetch(
    runs: Runs, objects: Objects, shard_id: int, live: Live, row: Claimed
) -> Callable[[], list[ToWorker]]:
    """Read what the order for a claimed run needs; gives the orders as they are at that moment.

    Raises: StoreUnavailable, NotFound for a stored payload that is gone.
    """
    payload, metadata = row.payload, None
    if payload is None:
        payload = await objects.get(row.payload_ref or "")
    if live.options is not None and live.options.has_metadata:
        run = await runs.get(shard_id, live.env_id, live.run_id)
        metadata = run.metadata if run is not None else None

    def orders() -> list[ToWorker]:
        order = execute(live, payload, row, metadata)
        if live.cancel_at is None:
            return [order]
        return [order, Cancel(live.run_id, live.epoch, GRACE_MS)]

    return orders


def execute(live: Live, payload: str, row: Claimed, metadata: str | None = None) -> Execute:
    """The order for a claimed run."""
    options, spec = live.options, live.spec
    return Execute(
        live.run_id,
        live.epoch,
        live.attempt,
        live.task,
        payload,
        live.queue,
        live.ckey,
        policy_of(live).max_attempts,
        (options.max_duration_ms if options is not None else None)
        or (spec.max_duration_ms if spec is not None else None),
        row.created_at,
        options.tags if options is not None else (),
        metadata,
        (options.idempotency_shown or options.idempotency_key) if options is not None else None,
        row.parent_id,
        row.root_id,
        row.depth,
        bool(row.is_test),
        live.lane.version,
        options.priority_ms if options is not None else 0,
        live.active_ms,
    )
