"""Batches as requests and answers of the engine, and as public JSON. Single items: `triggers`."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from mainspring.model.run import Run, TriggerRequest


class CreateBatch(Struct, tag="create_batch"):
    """A batch that takes items → BatchMade. `run_count` 0 = said with the last items.

    The same `idempotency_key` gives the batch that holds it, the same `request_key` (a repeat of
    one call) the batch that it has made.
    """

    run_count: int = 0
    parent_id: str | None = None
    idempotency_key: str | None = None
    idempotency_shown: str | None = None
    idempotency_ttl_ms: int | None = None
    request_key: str | None = None


class BatchMade(Struct):
    """`cached`: an older batch, which needs no items any more."""

    id: str
    run_count: int
    cached: bool = False


class BatchItem(Struct):
    """Item `number`, from 0: what to trigger, or why it cannot be (`error` and `code`)."""

    number: int
    request: TriggerRequest
    error: str | None = None
    code: str | None = None


class AddItems(Struct, tag="add_items"):
    """Make runs of these items, at most 1,000, each once however often it is added → ItemsAdded.

    An item that cannot be triggered is noted as such and takes no other one with it. `total`: how
    many the batch has, where that was not said when it was made.
    """

    batch_id: str
    items: list[BatchItem]
    total: int | None = None


class ItemsAdded(Struct):
    """`run_ids` are in the order of the items, None for what became no run; `cached` those of them
    that were there before. `received` of `run_count` are in; all are when it is `sealed`.
    """

    accepted: int
    deduplicated: int
    sealed: bool
    received: int
    run_count: int
    run_ids: list[str | None] = []
    cached: list[int] = []


class RetrieveBatch(Struct, tag="get_batch"):
    """→ BatchState."""

    batch_id: str


class ItemError(Struct):
    """Why item `number` became no run."""

    number: int
    task: str
    error: str
    code: str


class BatchState(Struct):
    """A batch as it stands. `status`: pending (takes items), processing, completed (all runs have
    ended), partial_failed (some items became no run), aborted (all did).

    `runs` and `errors` are those of the first 1,000 items. `received` counts items, `failed` those
    of them that became no run.
    """

    id: str
    status: str
    run_count: int
    received: int
    failed: int
    created_at: int
    updated_at: int
    sealed_at: int | None = None
    idempotency_key: str | None = None
    runs: list[str] = []
    errors: list[ItemError] = []


class ListBatchRuns(Struct, tag="batch_runs"):
    """The runs of items after `after` (-1 = from the start), with outputs → BatchRuns."""

    batch_id: str
    after: int = -1
    limit: int = 100


class BatchRuns(Struct):
    """In the order of the items; `next` is the `after` of the next page, None at the end."""

    runs: list[Run]
    next: int | None = None


BatchRequest = CreateBatch | AddItems | RetrieveBatch | ListBatchRuns
BatchResponse = BatchMade | ItemsAdded | BatchState | BatchRuns
BATCHES: Final[dict[type[Struct], type[Struct]]] = {
    CreateBatch: BatchMade,
    AddItems: ItemsAdded,
    RetrieveBatch: BatchState,
    ListBatchRuns: BatchRuns,
}
"""Which struct answers which request."""


class CreateBatchBody(Struct, rename="camel"):
    """`POST /api/v3/batches`."""

    run_count: int
    task_identifiers: list[str] | UnsetType = UNSET
    parent_run_id: str | UnsetType = UNSET
    resume_parent_on_completion: bool | UnsetType = UNSET
    idempotency_key: str | UnsetType = UNSET
    idempotency_key_options: Any = UNSET


class BatchCreated(Struct, rename="camel"):
    """What that answers. `isCached`: no items are to be sent."""

    id: str
    run_count: int
    is_cached: bool
    idempotency_key: str | UnsetType = UNSET


class ItemsTaken(Struct, rename="camel"):
    """What a stream of items answers; the counts are there while items are missing."""

    id: str
    items_accepted: int
    items_deduplicated: int
    sealed: bool
    run_count: int | UnsetType = UNSET
    enqueued_count: int | UnsetType = UNSET
    expected_count: int | UnsetType = UNSET


class ShownError(Struct, rename="camel"):
    """An item that became no run."""

    index: int
    task_identifier: str
    error: str
    error_code: str | UnsetType = UNSET


class Processing(Struct, rename="camel"):
    """How far the items have become runs."""

    errors: list[ShownError]
    completed_at: str | UnsetType = UNSET


class ShownBatch(Struct, rename="camel"):
    """`GET /api/v2/batches/{batch}`."""

    id: str
    status: str
    created_at: str
    updated_at: str
    run_count: int
    runs: list[str]
    processing: Processing
    idempotency_key: str | UnsetType = UNSET
