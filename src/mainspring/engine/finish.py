"""Plan the end of attempts: complete, fail, cancel, time out, or try again."""

from __future__ import annotations

from typing import Final

import msgspec

from mainspring.engine import aftermath, deaths, faults, journal
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.live import Live
from mainspring.engine.place import Place, enqueue, park
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.model.limits import LONGEST_MS
from mainspring.model.retry import RetryPolicy, next_delay_ms
from mainspring.model.run import FREES_KEY, Run, RunError, Status
from mainspring.store.waiting import EdgeRow, LossesRow
from mainspring.wire.worker import Entry, Fenced, Finished

Loss = tuple[Live | Session, str]
"""An active run, or a whole session, whose worker is gone, and why."""
REJECTED: Final = "rejected"
"""The outcome of an attempt that said what nobody can store, while its body still runs."""

FINAL_OF: Final = {
    "completed": Status.COMPLETED,
    "failed": Status.FAILED,
    "aborted": Status.FAILED,
    REJECTED: Status.FAILED,
    "invalid_payload": Status.FAILED,
    "retry": Status.FAILED,
    "crashed": Status.CRASHED,
    "canceled": Status.CANCELED,
    "timed_out": Status.TIMED_OUT,
}
STUCK: Final = -1
"""`due_at` of a parked run that diverged: what it waits for is journaled, but it does not go on."""
RETRIED: Final = frozenset({"failed", "retry", "crashed"})

_encode = msgspec.json.Encoder().encode
_NO_POLICY: Final = RetryPolicy()


def want(state: State, wanted: Wanted, fin: Finished) -> None:
    """Name what has to be known of a run whose attempt has ended."""
    live = state.lives.get(fin.run_id)
    if live is None:
        return
    run_id = fin.run_id
    if live.parent_id is not None or live.waited or live.epoch > 1 or run_id in state.awaited:
        wanted.ending.add(run_id)
    if fin.outcome == "continued":
        wanted.ending.add(run_id)
        wanted.generations.add(run_id)
    if live.epoch > 1 and deaths.is_own(live, fin):
        wanted.losses.add(run_id)


def want_lost(state: State, wanted: Wanted, lost: Live | Session) -> None:
    """Name what has to be known of runs whose worker is gone."""
    for run_id in [lost.run_id] if isinstance(lost, Live) else lost.holds:
        live = state.lives.get(run_id)
        if live is not None:
            many = live.epoch - live.attempt >= deaths.LOSSES
            died = live.epoch > 1 and bool(live.session.died)
            if live.cancel_at is not None or many or died:
                wanted.ending.add(run_id)
            if many or died:
                wanted.losses.add(run_id)


def plan(
    state: State,
    batch: Batch,
    facts: Facts,
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
    leave(state, batch, live)
    if live.cancel_at is not None:
        end(state, batch, live, Status.CANCELED, None, None, fin.error)
    elif fin.outcome == "continued":
        go_on(state, batch, facts, live, fin.output, output_ref)
    elif fin.outcome == "diverged":
        stick(state, batch, facts, live, fin.error or RunError("It diverged."))
    else:
        decide(state, batch, facts, live, fin)


def decide(state: State, batch: Batch, facts: Facts, live: Live, fin: Finished) -> None:
    """An attempt that failed is tried again, or final."""
    error = fin.error or RunError(f"The attempt ended as {fin.outcome} without an error.")
    if deaths.is_own(live, fin):
        count(state, batch, facts, live, error.message.rstrip("."), deaths.ALONE)
        return
    if fin.outcome in RETRIED:
        policy = policy_of(live)
        delay = next_delay_ms(policy, live.attempt, state.chance())
        if delay is not None:
            if fin.retry_after_ms is not None:
                delay = min(max(fin.retry_after_ms, 0), LONGEST_MS)
            try_again(state, batch, facts, live, error, delay, fin.machine)
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
    state.suspects.discard(live.run_id)
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
    batch.over[live.run_id] = None
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
    if error is not None:
        faults.note(batch, live, live.version, status, error)
    if options is not None and options.idempotency_key is not None and status in FREES_KEY:
        key = (live.env_id, live.task, options.idempotency_key, live.run_id)
        batch.changes.drop_key.append(key)
    aftermath.follow(state, batch, live, live.version, status)
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
                version=live.version,
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


def try_again(
    state: State,
    batch: Batch,
    facts: Facts,
    live: Live,
    error: RunError,
    delay: int,
    machine: str | None = None,
) -> None:
    """Keep the failed attempt in the journal and wait for the next one without a slot, which may
    ask for another `machine`.
    """
    note(batch, facts, live, "attempt", error, machine or "")
    place = place_of(live)
    place.attempt += 1
    park(state, batch, place, "retry", batch.now + delay)


def note(
    batch: Batch, facts: Facts, live: Live, kind: str, error: RunError, mark: str = ""
) -> None:
    """Keep how an attempt or a claim ended that was not the last; `seq` is the attempt, `mark` the
    machine for the next one, or what `deaths` says of a loss.
    """
    entry = Entry(
        f"!{kind}:{live.epoch}",
        live.attempt,
        kind,
        "failed",
        _encode(error).decode(),
        fingerprint=mark,
        started_at=live.claimed_at,
        ended_at=batch.now,
    )
    journal.write(batch, facts, live.run_id, live.epoch, 0, entry)


def go_on(
    state: State, batch: Batch, facts: Facts, live: Live, payload: str | None, ref: str | None
) -> None:
    """The run begins anew with another payload and an empty journal, as its first attempt."""
    generation = facts.generations.get(live.run_id, 0) + 1
    now = batch.now
    entry = Entry(journal.START, 0, "step", "completed", payload, ref, "", now, now)
    journal.write(batch, facts, live.run_id, live.epoch, generation, entry)
    batch.anew[live.run_id] = None
    place = place_of(live)
    place.attempt = 1
    enqueue(state, batch, place, resume=True)


def stick(state: State, batch: Batch, facts: Facts, live: Live, error: RunError) -> None:
    """The code is not what the journal tells: the run waits until somebody settles that."""
    details = error.details if isinstance(error.details, dict) else {}
    row = EdgeRow(
        live.run_id,
        str(details.get("key", "")),
        "!",
        "diverged",
        0,
        0,
        0,
        _encode(error).decode(),
        "",
        batch.now,
    )
    facts.edges.add(row)
    place = place_of(live)
    place.session_id = ""
    park(state, batch, place, "wait", STUCK)


def lose_all(state: State, batch: Batch, facts: Facts, lost: Live | Session, reason: str) -> None:
    """A run's worker is gone, or a session with everything that it holds."""
    run_ids = [lost.run_id] if isinstance(lost, Live) else sorted(lost.holds)
    gone = [live for run_id in run_ids if (live := state.lives.get(run_id)) is not None]
    gone = [live for live in gone if lost in (live, live.session)]
    how = lost.died if isinstance(lost, Session) else ""
    mark = deaths.mark(how, sum(live.begun for live in gone))
    for live in gone:
        lose(state, batch, facts, live, reason, mark)


def lose(state: State, batch: Batch, facts: Facts, live: Live, reason: str, mark: str = "") -> None:
    """The worker of an active run is gone: run it again elsewhere, within its own budget of losses.

    It costs no attempt. A run that was not begun only goes back to its lane.
    """
    leave(state, batch, live)
    if live.cancel_at is not None:
        end(state, batch, live, Status.CANCELED, None, None, None)
    elif live.begun:
        count(state, batch, facts, live, reason, mark)
    else:
        # a body that began is a new start for the rate limit; an order that was withdrawn is not
        enqueue(state, batch, place_of(live), resume=True)


def count(state: State, batch: Batch, facts: Facts, live: Live, reason: str, mark: str) -> None:
    """A run has left its slot with its worker, or the process that it had: again, or no more."""
    before = facts.losses.get(live.run_id) or LossesRow(live.run_id)
    error, is_last = deaths.judged(before, mark, reason)
    if is_last:
        end(state, batch, live, Status.CRASHED, None, None, error)
        return
    note(batch, facts, live, "lost", error, mark)
    if deaths.is_suspect(before, mark):
        state.suspects.add(live.run_id)
        park(state, batch, place_of(live), "retry", batch.now + deaths.PAUSE_MS)
    else:
        enqueue(state, batch, place_of(live))


def place_of(live: Live) -> Place:
    """What the run takes along when it leaves its slot without an end."""
    lane = (live.env_id, live.queue, live.ckey, live.version)
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
