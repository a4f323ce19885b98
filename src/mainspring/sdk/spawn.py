"""Triggers made by the code of a run: kept in its journal, so that no replay makes them twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

from mainspring.model.run import TriggerAnswer, TriggerRequest
from mainspring.sdk.journal import Journal, Place, quoted
from mainspring.wire.calls import Trigger, Triggered
from mainspring.wire.kept import runs_of


def named(tasks: Sequence[str]) -> str:
    """What one trigger of these tasks is called in a journal."""
    first = tasks[0]
    return quoted(first) if all(task == first for task in tasks) else "batch"


async def kept(
    journal: Journal, place: Place, requests: list[TriggerRequest]
) -> list[TriggerAnswer]:
    """Make the runs, or give those that the journal has; in the order of the requests."""
    return (await kept_batch(journal, place, requests, as_batch=False))[0]


async def kept_batch(
    journal: Journal, place: Place, requests: list[TriggerRequest], *, as_batch: bool = True
) -> tuple[list[TriggerAnswer], str | None]:
    """The same, with the id of the batch that the runs are."""
    mark = _mark(requests)
    journal.check(place, "trigger", mark)
    if place.entry is not None:
        answers, batch_id = runs_of(place.entry.data)
    else:
        request = Trigger(requests, place.key, place.seq, journal.generation, mark, as_batch)
        told = cast("Triggered", await journal.call(request, kept=True))
        answers, batch_id = told.answers, told.batch_id
    if len(answers) != len(requests):
        journal.diverge(place.key, f"{len(answers)} triggered runs", f"{len(requests)}")
    return answers, batch_id


def _mark(requests: list[TriggerRequest]) -> str:
    digest = hashlib.sha256(usedforsecurity=False)
    for request in requests:
        digest.update(f"{request.task} {request.payload}\n".encode())
    return f"{named([request.task for request in requests])[-64:]}:{digest.hexdigest()[:12]}"
