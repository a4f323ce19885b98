"""What the code of a run says of its journal and waits, in few words. No assertions."""

from __future__ import annotations

import json
from typing import Any

from mainspring.model.run import RunError
from mainspring.wire.worker import (
    Entry,
    Frame,
    Op,
    Park,
    Record,
    Resolved,
    Resume,
    Update,
    Wait,
)
from tests.engine.house import House, Worker


def step(key: str, seq: int, value: Any = None, **fields: Any) -> Entry:
    """A step that completed."""
    return Entry(key, seq, "step", data=json.dumps(value), **fields)


def record(worker: Worker, run_id: str, *entries: Entry) -> Frame:
    order = worker.runs[run_id]
    return worker.send(Record(run_id, order.epoch, order.generation, list(entries)))


def waits(worker: Worker, run_id: str, key: str, kind: str, *points: str, **fields: Any) -> Frame:
    """The run begins to wait and, that being all it does, asks to be parked."""
    order = worker.runs[run_id]
    fields.setdefault("seq", 1)
    wait = Wait(run_id, order.epoch, order.generation, key, kind=kind, points=[*points], **fields)
    return worker.send(wait, Park(run_id, order.epoch, [key], 1))


def change(
    worker: Worker, run_id: str, *ops: Op, tags: tuple[str, ...] = (), epoch: int | None = None
) -> Frame:
    epoch = worker.runs[run_id].epoch if epoch is None else epoch
    return worker.send(Update(run_id, epoch, list(ops), tags))


def diverges(worker: Worker, run_id: str, key: str) -> Frame:
    """The code does not fit the entry of that key."""
    message = f"it asks for something else at {key}"
    error = RunError(message, "Diverged", code="diverged", details={"key": key})
    return worker.finish(run_id, outcome="diverged", error=error)


def outcomes(worker: Worker, run_id: str) -> list[tuple[str, str, Any]]:
    """What the run was told of its waits: (key, status, data)."""
    told: list[Entry] = []
    for order in worker.orders:
        if isinstance(order, Resume | Resolved) and order.run_id == run_id:
            told += order.entries
    return [
        (entry.key, entry.status, None if entry.data is None else json.loads(entry.data))
        for entry in told
    ]


async def started(house: House, worker: Worker, **options: Any) -> str:
    """A run that executes."""
    run_id = await house.trigger(**options)
    await house.settle()
    worker.begin(run_id)
    await house.settle()
    return run_id
