"""Batches of runs by their ids."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

from mainspring.model.run import Run
from mainspring.sdk import subscribe as subscribing
from mainspring.sdk.batch import Batch, stream
from mainspring.sdk.call import Call
from mainspring.sdk.transport import ask
from mainspring.wire.calls import AwaitRuns, BatchRuns, BatchState, ListBatchRuns, RetrieveBatch


async def trigger(
    calls: Iterable[Call[Any]] | AsyncIterable[Call[Any]], *, idempotency_key: str | None = None
) -> Batch[Any]:
    """Make a run for each call, of any tasks and any number, while they come.

    Sent piece by piece: each piece is stored as a whole and starts at once, and a call that cannot
    be triggered takes no other one with it (`missing` has its place). With a key, whoever does the
    same again after a failure goes on in the same batch, and triggers nothing twice.

    Raises: as `trigger` of a task, but for what is wrong with single calls.
    """
    return await stream(calls, idempotency_key=idempotency_key)


async def retrieve(batch_id: str) -> BatchState:
    """The batch as it stands: its status, runs, and the calls that became no run.

    Raises: NotFound.
    """
    return await ask(RetrieveBatch(batch_id), BatchState)


async def runs(batch_id: str) -> AsyncIterator[Run]:
    """Walk through the runs of a batch in the order of its calls, with outputs, asking for a page
    at a time. Raises: NotFound.
    """
    after: int | None = -1
    while after is not None:
        page = await ask(ListBatchRuns(batch_id, after), BatchRuns)
        for run in page.runs:
            yield run
        after = page.next


def subscribe(batch_id: str) -> AsyncIterator[Run]:
    """Every run of the batch, at first the newest 1,000 as they are, then each after each change,
    and those that join; without end, and for an unknown batch without a run.
    """
    return subscribing.runs(AwaitRuns(batch_id=batch_id))
