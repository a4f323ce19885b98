"""Plan the run that calls a task's failure hooks, in the commit that ends one of its runs badly."""

from __future__ import annotations

from typing import Final

import msgspec

from mainspring.engine.batch import Batch
from mainspring.engine.intake import assemble
from mainspring.engine.live import Live
from mainspring.engine.place import Place, enqueue
from mainspring.engine.state import State
from mainspring.engine.trigger import insert
from mainspring.model import tracing
from mainspring.model.run import Status, TriggerOptions, TriggerRequest
from mainspring.model.task import failure_task
from mainspring.store.changes import RunOptions
from mainspring.store.protocol import LiveRow

BAD: Final = frozenset({Status.FAILED, Status.CRASHED, Status.TIMED_OUT, Status.SYSTEM_FAILURE})
"""The ends that are failures; canceled and expired runs have no failure hooks."""
_decode: Final = msgspec.json.Decoder(RunOptions).decode


def follow(state: State, batch: Batch, ended: Live | LiveRow, version: str, status: Status) -> None:
    """Make the run if the task asks for it; `version` is that of the run that ended."""
    if status not in BAD:
        return
    task = state.tasks.get((ended.env_id, ended.task))
    if task is None or not task[0].on_failure:
        return
    found = state.tasks.get((ended.env_id, failure_task(ended.task)))
    if found is None:
        return
    run_id = state.ids.new("run", batch.now, state.shard_id)
    options = TriggerOptions(
        version=version or None,
        parent_id=ended.run_id,
        root_id=ended.root_id or ended.run_id,
        depth=ended.depth + 1,
        run_id=run_id,
        checked=True,
        trace=_trace(ended),
    )
    request = TriggerRequest(found[0].id, f'{{"run":"{ended.run_id}"}}', options)
    item = assemble(ended.env_id, found[0], request)
    insert(state, batch, ended.env_id, item)
    enqueue(state, batch, Place(run_id, item.lane, batch.now))


def _trace(ended: Live | LiveRow) -> str | None:
    options = ended.options
    kept = _decode(options) if isinstance(options, str) and options else options
    trace = kept.trace if isinstance(kept, RunOptions) else None
    if trace is None:
        return None
    return tracing.below(trace, ended.root_id or ended.run_id, tracing.span_id(ended.run_id))
