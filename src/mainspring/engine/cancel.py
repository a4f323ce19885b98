"""Plan a cancel: at once for a run that waits, through its worker for one that executes."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable

import msgspec
from msgspec import Struct

from mainspring.engine import aftermath, faults
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.place import forget
from mainspring.engine.state import State
from mainspring.model.run import FREES_KEY, RunError, Status
from mainspring.store.changes import RunOptions
from mainspring.store.protocol import LiveRow, Runs
from mainspring.wire.worker import Cancel

GRACE_MS = 30_000
CASCADE = 500

_decode_options = msgspec.json.Decoder(RunOptions).decode
_encode = msgspec.json.Encoder().encode


class CancelCall(Struct):
    """Somebody, or the cancel of a parent, wants a run canceled. Harmless when it has ended."""

    run_id: str
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        wanted.located.add(self.run_id)
        wanted.ending.add(self.run_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed the run."""
        if self.run_id in batch.touched:
            return False
        row = facts.located.get(self.run_id)
        if row is not None:
            cancel(state, batch, row)
        batch.answer(self.future, None)
        return True


class CascadeDone(Struct):
    """The children of a canceled run are canceled; its timer need not fire again."""

    run_id: str
    at: int
    future: Future[None]

    def want(self, wanted: Wanted) -> None:
        """Nothing has to be known."""

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the row."""
        batch.changes.drop_timer.append((self.at, "cascade", self.run_id))
        # read again after a doubtful commit, it may be to come when the clock was set back
        state.timers.cancel((self.at, "cascade", self.run_id, ""))
        batch.answer(self.future, None)
        return True


Submit = Callable[[CancelCall | CascadeDone], None]


async def cancel_children(runs: Runs, shard_id: int, run_id: str, at: int, submit: Submit) -> None:
    """Cancel the children of a canceled run, in pages.

    Its timer goes last, so that a crash in between only does the same again.
    """
    after, loop = "", asyncio.get_running_loop()
    while True:
        page = await runs.children(shard_id, run_id, after, CASCADE)
        canceled = [CancelCall(child, loop.create_future()) for child in page]
        for call in canceled:
            submit(call)
        await asyncio.gather(*(call.future for call in canceled))
        if len(page) < CASCADE:
            break
        after = page[-1]
    done = CascadeDone(run_id, at, loop.create_future())
    submit(done)
    await done.future


def cancel(state: State, batch: Batch, row: LiveRow) -> None:
    """Cancel a live run, and its children by a durable timer of the same commit."""
    live = state.lives.get(row.run_id)
    batch.touched.add(row.run_id)
    if live is not None:
        if live.cancel_at is None:
            live.cancel_at, live.cancel_seen = batch.now, state.clock.monotonic()
            batch.changes.cancel.append((live.run_id, live.epoch, batch.now))
            batch.order(live.session, Cancel(live.run_id, live.epoch, GRACE_MS))
            cascade(state, batch, row.run_id)
        return
    if row.started_at:
        cascade(state, batch, row.run_id)
    end_waiting(state, batch, row, Status.CANCELED, None)


def cascade(state: State, batch: Batch, run_id: str) -> None:
    """Have the children canceled soon, whatever crashes in between."""
    batch.changes.timer.append((batch.now, "cascade", run_id))
    state.timers.add((batch.now, "cascade", run_id, ""))


def end_waiting(
    state: State, batch: Batch, row: LiveRow, status: Status, error: RunError | None
) -> None:
    """End a run that is ready or parked, without a slot of its own; it must have been among
    `Wanted.ending`. Its coroutine, if a session has it parked, is canceled there.
    """
    lane = (row.env_id, row.queue, row.ckey, row.version)
    if row.place == "ready":
        batch.changes.drop_ready.append((row.run_id,))
        state.core.remove(lane, row.ord, row.run_id, resume=row.kind == "resume")
    else:
        batch.changes.drop_parked.append((row.run_id,))
        if row.kind != "wait":
            forget(state, batch, row.due_at, row.kind, row.run_id)
    batch.touched.add(row.run_id)
    batch.over[row.run_id] = None
    holder = state.holders.get(row.run_id)
    if holder is not None:
        batch.freed.append(row.run_id)
        batch.order(holder, Cancel(row.run_id, holder.parked[row.run_id], GRACE_MS))
    if error is not None:
        faults.note(batch, row, row.version, status, error)
    options = _decode_options(row.options) if row.options else None
    if options is not None:
        if options.idempotency_key is not None and status in FREES_KEY:
            key = (row.env_id, row.task, options.idempotency_key, row.run_id)
            batch.changes.drop_key.append(key)
        if options.debounce_key is not None and row.kind == "delay":
            batch.changes.drop_debounce.append((row.env_id, row.task, options.debounce_key))
    aftermath.follow(state, batch, row, row.version, status)
    batch.changes.done.append(
        (
            row.run_id,
            row.env_id,
            row.task,
            row.queue,
            status.value,
            row.epoch,
            row.attempt if row.started_at else 0,
            None,
            None,
            _encode(error).decode() if error is not None else None,
            row.started_at or None,
            batch.now,
            row.active_ms,
        )
    )
