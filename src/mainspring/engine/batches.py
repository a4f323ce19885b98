"""Answers about batches: made, filled, read. Rules are in `batches_plan`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, assert_never

from mainspring.engine import below, intake, query
from mainspring.engine.batches_plan import Added, CreateCall, ItemsCall, is_given_up, unknown
from mainspring.engine.intake import Prepared
from mainspring.engine.owner import Owner
from mainspring.errors import CallerError, InvalidOptions
from mainspring.model import limits
from mainspring.model.run import Run, TriggerAnswer
from mainspring.store.batching import BatchRow, ItemRow
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls

BACKLOG: Final = 20_000
"""New runs that may wait for their commit; more callers wait until there is room."""
SHOWN: Final = 1_000
"""Items that are shown with a batch."""
PAGE: Final = 100
LARGEST: Final = 10_000_000
SEEN: Final = 10_000

Request = calls.CreateBatch | calls.AddItems | calls.RetrieveBatch | calls.ListBatchRuns
Response = calls.BatchMade | calls.ItemsAdded | calls.BatchState | calls.BatchRuns


async def answer(
    owner: Owner, env: EnvironmentRow, request: Request, run_id: str | None
) -> Response:
    """Answer one of these requests; `run_id` is the run whose code asks.

    Raises: as the function that answers it.
    """
    match request:
        case calls.CreateBatch():
            return await create(owner, env, request, run_id)
        case calls.AddItems():
            return await add(owner, env, request)
        case calls.RetrieveBatch():
            return await retrieve(owner, env, request.batch_id)
        case calls.ListBatchRuns():
            return await runs(owner, env, request)
        case _:
            assert_never(request)


async def create(
    owner: Owner, env: EnvironmentRow, asked: calls.CreateBatch, run_id: str | None
) -> calls.BatchMade:
    """Make a batch, or find the one that holds the idempotency key.

    One that was left before all of its items were in is given as if it were new, so that whoever
    asks again can fill it. Raises: InvalidOptions, NotFound for the parent.
    """
    limits.check_number(asked.run_count, "runCount", 0, LARGEST)
    for text, name in (
        (asked.idempotency_key, "idempotency_key"),
        (asked.idempotency_shown, "idempotency_shown"),
        (asked.request_key, "request_key"),
    ):
        if text is not None:
            limits.check_text(text, name, limits.KEY_LENGTH)
    if asked.idempotency_ttl_ms is not None:
        limits.check_number(asked.idempotency_ttl_ms, "idempotency_ttl", 1, limits.LONGEST_MS)
    asked.parent_id = asked.parent_id or run_id
    if asked.parent_id is not None:
        await query.one(owner, env, asked.parent_id)
    future: asyncio.Future[tuple[str, bool]] = asyncio.get_running_loop().create_future()
    owner.submit(CreateCall(env.env_id, asked, future))
    batch_id, held = await future
    if not held:
        return calls.BatchMade(batch_id, asked.run_count)
    row = await one(owner, env, batch_id)
    is_open = row.sealed_at is None and row.run_count == asked.run_count
    is_open = is_open and not is_given_up(row, owner.state.clock.now())
    return calls.BatchMade(batch_id, row.run_count, cached=not is_open)


async def add(owner: Owner, env: EnvironmentRow, asked: calls.AddItems) -> calls.ItemsAdded:
    """Make runs of items; one that cannot be triggered is noted and takes no other with it.

    Raises: NotFound, InvalidOptions for items that are not of the batch, Conflict when its parent
    takes no more children.
    """
    if len(asked.items) > limits.BATCH:
        raise InvalidOptions(f"{len(asked.items):,} items at once; at most {limits.BATCH:,}.")
    row = await one(owner, env, asked.batch_id)
    options = [item.request.options for item in asked.items]
    if row.parent_id is not None:
        await below.put(owner, env, row.parent_id, options)
    else:
        for each in options:
            each.parent_id, each.root_id, each.depth = None, None, 0
    numbers: list[int] = []
    prepared: list[Prepared] = []
    bad: list[calls.BatchItem] = []
    for item in asked.items:
        limits.check_number(item.number, "index", 0, LARGEST)
        item.request.options.batch_id = row.batch_id
        item.request.options.request_key = None  # the place in the batch does as much
        try:
            if item.error is None:
                prepared += await intake.prepare(
                    owner.state, owner.objects, env.env_id, [item.request]
                )
                numbers.append(item.number)
        except CallerError as error:
            item.error, item.code = error.message, error.code.upper()
        if item.error is not None:
            bad.append(item)
    intake.fold(prepared)
    while owner.waiting > BACKLOG:
        await owner.turn_over()
    future: asyncio.Future[Added] = asyncio.get_running_loop().create_future()
    call = ItemsCall(
        env.env_id,
        prepared,
        future,  # type: ignore[arg-type]  # a batch is answered otherwise than a trigger
        batch_id=row.batch_id,
        numbers=numbers,
        bad=bad,
        total=asked.total,
    )
    owner.submit(call)
    return _told(await future, asked.items)


def _told(added: Added, items: Sequence[calls.BatchItem]) -> calls.ItemsAdded:
    row, found = added.row, added.found
    return calls.ItemsAdded(
        added.accepted,
        len(items) - added.accepted,
        row.sealed_at is not None,
        row.received,
        row.run_count,
        [found[item.number][0] for item in items],
        [item.number for item in items if found[item.number][1]],
    )


async def retrieve(owner: Owner, env: EnvironmentRow, batch_id: str) -> calls.BatchState:
    """A batch as it stands. Raises: NotFound."""
    row = await one(owner, env, batch_id)
    items = await owner.store.batches.page(owner.state.shard_id, row.batch_id, -1, SHOWN)
    errors = [
        calls.ItemError(item.number, item.task, item.error or "", item.code or "")
        for item in items
        if item.run_id is None
    ]
    return calls.BatchState(
        row.batch_id,
        await _status(owner, row),
        row.run_count,
        row.received,
        row.failed,
        row.created_at,
        row.updated_at,
        row.sealed_at,
        row.idempotency_shown or row.idempotency_key,
        [item.run_id for item in items if item.run_id is not None],
        errors,
    )


async def runs(owner: Owner, env: EnvironmentRow, asked: calls.ListBatchRuns) -> calls.BatchRuns:
    """A page of the runs of a batch, with outputs and without payloads, in the order of items."""
    row = await one(owner, env, asked.batch_id)
    shard_id, most = owner.state.shard_id, max(1, min(asked.limit, PAGE))
    items = await owner.store.batches.page(shard_id, row.batch_id, asked.after, most)
    ids = [item.run_id for item in items if item.run_id is not None]
    by_id: dict[str, Run] = {}
    for run in await owner.store.runs.many(shard_id, ids):
        run.payload = None
        if run.output is None and run.output_ref is not None:
            run.output = await owner.objects.get(run.output_ref)
        by_id[run.id] = run
    found = [by_id[run_id] for run_id in ids if run_id in by_id]
    return calls.BatchRuns(found, items[-1].number if len(items) == most else None)


async def answers_of(owner: Owner, batch_id: str) -> list[TriggerAnswer]:
    """What the trigger that made this batch was answered."""
    shard_id = owner.state.shard_id
    items: list[ItemRow] = await owner.store.batches.page(shard_id, batch_id, -1, limits.BATCH)
    return [TriggerAnswer(item.run_id or "") for item in items]


async def one(owner: Owner, env: EnvironmentRow, batch_id: str) -> BatchRow:
    """The row of a batch. Raises: NotFound, also for one of another environment."""
    found: list[BatchRow] = []
    if batch_id.isascii() and "\0" not in batch_id:  # no database could look for another one
        found = await owner.store.batches.many(owner.state.shard_id, [batch_id])
    if not found or found[0].env_id != env.env_id:
        raise unknown(batch_id)
    return found[0]


async def _status(owner: Owner, row: BatchRow) -> str:
    """The word for how it stands. Where the search for a run that has not ended left off is kept,
    so that whoever asks again and again looks at each run once.
    """
    if row.sealed_at is None:
        return "aborted" if is_given_up(row, owner.state.clock.now()) else "pending"
    if row.failed:
        return "aborted" if row.failed == row.run_count else "partial_failed"
    since = owner.ends_seen.get(row.batch_id, 0)
    at = await owner.store.batches.first_open(owner.state.shard_id, row.batch_id, since)
    see_ends(owner, row, row.run_count if at is None else at)
    return "completed" if at is None else "processing"


def see_ends(owner: Owner, row: BatchRow, place: int) -> None:
    """Keep that all items before that place are over, so that nobody looks at them again."""
    if len(owner.ends_seen) >= SEEN:
        owner.ends_seen.clear()
    owner.ends_seen[row.batch_id] = place
