"""Requests and responses of what people look at across runs: counts, batches, workers.

They are part of the table in `wire.calls`, through which they are used.
"""

from __future__ import annotations

from msgspec import Struct


class CountRuns(Struct, tag="count_runs"):
    """How many runs there are in each state → RunCounts. `since` bounds those that have ended."""

    since: int


class RunCounts(Struct):
    """Runs by status: those that live now, and those made at `since` or later that have ended.

    A count that would take long stops at `most`, and then means so many or more.
    """

    live: dict[str, int]
    ended: dict[str, int]
    most: int


class ListBatches(Struct, tag="batches"):
    """Newest first → BatchPage. `after` and `before` are ids from a page's cursors."""

    after: str | None = None
    before: str | None = None
    limit: int = 25


class BatchBrief(Struct):
    """A batch in a list. `status` is as in `wire.batches.BatchState`; `ended` items, the first
    ones, are known to be over. That is found out by and by where a batch is large: each list that
    shows it looks further.
    """

    id: str
    status: str
    run_count: int
    received: int
    failed: int
    ended: int
    created_at: int
    sealed_at: int | None = None
    idempotency_key: str | None = None


class BatchPage(Struct):
    batches: list[BatchBrief]
    next: str | None = None
    previous: str | None = None


class ListWorkers(Struct, tag="workers"):
    """The sessions of workers that the server knows now → WorkerList."""


class Worker(Struct):
    """A session of a worker process. `running` of its `slots` are taken, `waiting` runs lie in its
    memory without one. `connected` is False while its link is down and its lease lasts. `since`
    None = it was here before this server was.
    """

    id: str
    host: str
    pid: int
    version: str
    slots: int
    running: int
    waiting: int
    tasks: list[str]
    connected: bool
    since: int | None = None


class WorkerList(Struct):
    workers: list[Worker]


ObservingRequest = CountRuns | ListBatches | ListWorkers
ObservingResponse = RunCounts | BatchPage | WorkerList
OBSERVING: dict[type[Struct], type[Struct]] = {
    CountRuns: RunCounts,
    ListBatches: BatchPage,
    ListWorkers: WorkerList,
}
