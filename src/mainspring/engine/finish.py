"""Plan the end of attempts: complete, fail, cancel, time out, or try again."""

from __future__ import annotations

from typing import Final

import msgspec

from mainspring.engine.batch import Batch
from mainspring.engine.live import Live
from mainspring.engine.place import Place, enqueue, park
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.model.limits import LONGEST_MS
from mainspring.model.retry import RetryPolicy, next_delay_ms
from mainspring.model.run import FREES_KEY, Run, RunError, Status
from mainspring.wire.worker import Fenced, Finished

LOSSES: Final = 10
"""How often a run may lose its worker before it counts as the one that kills them."""

FINAL_OF: Final = {
    "completed": Status.COMPLETED,
    "failed": Status.FAILED,
    "aborted": Status.FAILED,
    "invalid_payload": Status.FAILED,
    "retry": Status.FAILED,
    "crashed": Status.CRASHED,
    "canceled": Status.CANCELED,
    "timed_out": Status.TIMED_OUT,
}
RETRIED: Final = frozenset({"failed", "retry", "crashed"})

_encode = msgspec.json.Encoder().encode
_NO_POLICY: Final = RetryPolicy()


def plan(
    state: State,
    batch: Batch,
    session: Session,
    fin: Finished,
    output_ref: str | None = None,
) -> None:
    """One attempt has ended. Another epoch, or a run that is not its own any more, is fenced."""
    live = state.lives.get(fin.run_id)
    if live is None or live.epoch != fin.epoch or live.session is not session:
        batch.order(session, Fenced(fin.run_id, fin.epoch))
        return
    live.active_ms += fin.active_ms
    if fin.outcome == "completed" and live.cancel_at is None:
        leave(state, batch, live)
        end(state, batch, live, Status.COMPLETED, fin.output, output_ref, None)
        return
    decide(state, batch, live, fin)


def decide(state: State, batch: Batch, live: Live, fin: Finished) -> None:
    """An attempt that did not simply complete: canceled, tried again, or final."""
    leave(state, batch, live)
    if live.cancel_at is not None:
        end(state, batch, live, Status.CANCELED, None, None, fin.error)
        return
    error = fin.error or RunError(f"The attempt ended as {fin.outcome} without an error.")
    if fin.outcome in RETRIED:
        policy = policy_of(live)
        delay = next_delay_ms(policy, live.attempt, state.chance())
        if delay is not None:
            if fin.retry_after_ms is not None:
                delay = min(max(fin.retry_after_ms, 0), LONGEST_MS)
            try_again(state, batch, live, error, delay)
            return
    end(state, batch, live, FINAL_OF.get(fin.outcome, Status.SYSTEM_FAILURE), None, None, error)


def policy_of(live: Live) -> RetryPolicy:
    """The task's retry policy with what the trigger has changed."""
    policy = live.spec.retry if live.spec is not None else _NO_POLICY
    attempts = live.options.max_attempts if live.options is not None else None
    if attempts is None:
        return policy
    return msgspec.structs.replace(policy, max_attempts=attempts)


def leave(state: State, batch: Batch, live: Live) -> None:
    """Take the run out of its slot, in memory and in the rows."""
    del state.lives[live.run_id]
    live.session.holds.discard(live.run_id)
    state.core.release(live.lane, batch.now)
    batch.touched.add(live.run_id)
    batch.changes.drop_active.append((live.run_id, live.epoch))


def end(
    state: State,
    batch: Batch,
    live: Live,
    status: Status,
    output: str | None,
    output_ref: str | None,
    error: RunError | None,
) -> None:
    """Write the final row of a run that has left its slot, and wake whoever awaits it."""
    text = _encode(error).decode() if error is not None else None
    now, options = batch.now, live.options
    batch.changes.done.append(
        (
            live.run_id,
            live.env_id,
            live.task,
            live.queue,
            status.value,
            live.epoch,
            live.attempt,
            None if output_ref else output,
            output_ref,
            text,
            live.started_at,
            now,
            live.active_ms,
        )
    )
    if options is not None and options.idempotency_key is not None and status in FREES_KEY:
        key = (live.env_id, live.task, options.idempotency_key, live.run_id)
        batch.changes.drop_key.append(key)
    if live.run_id in state.waiters:
        batch.ended.append(
            Run(
                id=live.run_id,
                task=live.task,
                status=status,
                queue=live.queue,
                env_id=live.env_id,
                created_at=live.created_at,
                concurrency_key=live.ckey,
                version=live.lane.version,
                output=output,
                error=error,
                attempt=live.attempt,
                max_attempts=policy_of(live).max_attempts,
                started_at=live.started_at,
                finished_at=now,
                updated_at=now,
                active_ms=live.active_ms,
                root_id=live.root_id,
                depth=live.depth,
            )
        )


def try_again(state: State, batch: Batch, live: Live, error: RunError, delay: int) -> None:
    """Keep the failed attempt in the journal and wait for the next one without a slot."""
    batch.changes.journal.append(
        (
            live.run_id,
            f"attempt:{live.attempt}",
            0,
            "attempt",
            live.epoch,
            "failed",
            _encode(error).decode(),
            live.claimed_at,
            batch.now,
        )
    )
    place = place_of(live)
    place.attempt += 1
    park(state, batch, place, "retry", batch.now + delay)


def lose_all(state: State, batch: Batch, lost: Live | Session, reason: str) -> None:
    """A run's worker is gone, or a session with everything that it holds."""
    run_ids = [lost.run_id] if isinstance(lost, Live) else sorted(lost.holds)
    for run_id in run_ids:
        live = state.lives.get(run_id)
        if live is not None and lost in (live, live.session):
            lose(state, batch, live, reason)


def lose(state: State, batch: Batch, live: Live, reason: str) -> None:
    """The worker of an active run is gone: run it again elsewhere, within its own budget of losses.

    It costs no attempt. A run that was not begun only goes back to its lane.
    """
    leave(state, batch, live)
    if live.cancel_at is not None:
        end(state, batch, live, Status.CANCELED, None, None, None)
        return
    if live.begun and live.epoch - live.attempt >= LOSSES:
        message = f"Its worker was lost {live.epoch} times; the last time: {reason}."
        error = RunError(message, "WorkerLost", code="worker_lost")
        end(state, batch, live, Status.CRASHED, None, None, error)
        return
    # a body that began is a new start for the rate limit; an order that was withdrawn is not
    enqueue(state, batch, place_of(live), resume=not live.begun)


def place_of(live: Live) -> Place:
    """What the run takes along when it leaves its slot without an end."""
    lane = (live.env_id, live.queue, live.ckey, live.lane.version)
    return Place(
        live.run_id,
        lane,
        live.ord,
        live.epoch,
        live.attempt,
        live.started_at,
        live.active_ms,
        live.session.id,
    )
