"""Requests and responses of what people look at across runs: counts, batches, workers, failures,
log lines.

They are part of the table in `wire.calls`, through which they are used.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.wire.measuring import MEASURING, MeasuringRequest, MeasuringResponse


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


class ListErrors(Struct, tag="errors"):
    """Groups of failed runs that are alike, the latest first → ErrorPage. Of some `status` or
    `task` alone, a page may be short and yet have a next one. `after` is from a page's cursor.
    """

    status: tuple[str, ...] = ()
    task: str | None = None
    after: str | None = None
    limit: int = 25


class GetError(Struct, tag="get_error"):
    """→ ErrorGroup. Raises NotFound."""

    id: str


class MarkError(Struct, tag="mark_error"):
    """Say what is with a group → ErrorGroup. `status`: resolved, muted, new. Raises NotFound."""

    id: str
    status: str


class ErrorGroup(Struct):
    """Failed runs of one task with the same error from the same place, or with the same message
    but for numbers and names. `id` is their fingerprint; `#` and it is a value of
    `RunFilter.error`, which lists them. `count` has those that are deleted, too.

    `status`: new; muted and resolved by people; regressed when a run that was made after it was
    resolved failed again, with versions in another one than it was seen in last by then. `version`
    is that of the task, "" for none.
    """

    id: str
    task: str
    name: str
    message: str
    status: str
    count: int
    first_at: int
    last_at: int
    first_run: str
    last_run: str
    place: str = ""
    first_version: str = ""
    last_version: str = ""
    marked_at: int | None = None


class ErrorPage(Struct):
    groups: list[ErrorGroup]
    next: str | None = None


class FindLines(Struct, tag="find_lines"):
    """Lines of all runs, the newest first → FoundLines. `text` stands in the message or the data,
    in any case; `level` is the least one (debug, info, warn, error); `since` and `until` bound the
    time. `after` is from the cursor of a page.
    """

    text: str = ""
    level: str = "debug"
    task: str | None = None
    since: int = 0
    until: int | None = None
    after: str | None = None
    limit: int = 100


class FoundLine(Struct):
    """`data` is JSON text."""

    run_id: str
    task: str
    seq: int
    at: int
    level: str
    message: str
    data: str | None = None


class FoundLines(Struct):
    """A page looks at so many lines and no more: it may have few or none, and yet a next one.
    `searched_to` is how far back it has come, by way of `looked_at` lines.
    """

    lines: list[FoundLine]
    next: str | None = None
    searched_to: int | None = None
    looked_at: int = 0


ObservingRequest = (
    CountRuns
    | ListBatches
    | ListWorkers
    | ListErrors
    | GetError
    | MarkError
    | FindLines
    | MeasuringRequest
)
ObservingResponse = (
    RunCounts | BatchPage | WorkerList | ErrorPage | ErrorGroup | FoundLines | MeasuringResponse
)
OBSERVING: dict[type[Struct], type[Struct]] = {
    CountRuns: RunCounts,
    ListBatches: BatchPage,
    ListWorkers: WorkerList,
    ListErrors: ErrorPage,
    GetError: ErrorGroup,
    MarkError: ErrorGroup,
    FindLines: FoundLines,
    **MEASURING,
}
