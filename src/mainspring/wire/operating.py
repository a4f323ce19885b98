"""Requests and responses of what people do in bulk and by schedule, and of what they look into.

They are part of the table in `wire.calls`, through which they are used.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.model.run import Run, RunFilter, Status, TriggerAnswer
from mainspring.wire.deploying import (
    DEPLOYING,
    DeployingRequest,
    DeployingResponse,
    Deployment as Deployment,
)
from mainspring.wire.environments import (
    ENVIRONMENTS,
    EnvironmentRequest,
    EnvironmentResponse,
    EnvironmentState as EnvironmentState,
)
from mainspring.wire.observing import OBSERVING, ObservingRequest, ObservingResponse


class InspectRun(Struct, tag="inspect"):
    """One run and what stands around it → RunDetail."""

    run_id: str


class Usage(Struct):
    """What a run has used so far: times in ms (`waiting_ms` is what it was not active), bytes of
    payload and output where they are kept inline, calls of models that its spans tell of, their
    tokens, and their cost in dollars.
    """

    active_ms: int = 0
    waiting_ms: int = 0
    attempts: int = 0
    payload_bytes: int = 0
    output_bytes: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


class RunDetail(Struct):
    """`children` are the first 100. Relatives come without payload, output and metadata; those that
    are not kept any more are missing.
    """

    run: Run
    root: Run | None = None
    parent: Run | None = None
    children: list[Run] = []
    schedule: Schedule | None = None
    usage: Usage | None = None


class StartBulk(Struct, tag="start_bulk"):
    """Cancel or replay many runs, in pieces, whatever crashes → Bulk.

    `kind` is cancel or replay; exactly one of `filter` and `run_ids` says of which. A filter means
    the runs that exist by now and match when their turn comes. `region` is for new runs. A repeat
    with the same `request_key` starts nothing.
    """

    kind: str
    filter: RunFilter | None = None
    run_ids: tuple[str, ...] | None = None
    name: str | None = None
    region: str | None = None
    request_key: str | None = None


class GetBulk(Struct, tag="get_bulk"):
    """→ Bulk."""

    bulk_id: str


class AbortBulk(Struct, tag="abort_bulk"):
    """Do no more pieces; what is done stays → Bulk. Harmless when it has ended."""

    bulk_id: str


class ListBulks(Struct, tag="bulks"):
    """Newest first → BulkPage. `after` and `before` are ids from a page's cursors."""

    after: str | None = None
    before: str | None = None
    limit: int = 25


class Bulk(Struct):
    """`kind`: cancel, replay. `status`: pending, completed, aborted. `total` counts the runs found
    so far: all of them once it is completed, or from the start if it was given ids.
    """

    id: str
    kind: str
    status: str
    created_at: int
    name: str | None = None
    total: int = 0
    success: int = 0
    failure: int = 0
    completed_at: int | None = None


class BulkPage(Struct):
    bulks: list[Bulk]
    next: str | None = None
    previous: str | None = None


class SetSchedule(Struct, tag="set_schedule"):
    """Make a schedule, or change the one with that `id` or deduplication key → Schedule.

    `cron` has five fields, or is "@every 10m" or "@at 2026-12-24T18:00"; `timezone` is an IANA
    name. `window` ("30m", "20%") spreads ticks over that time. `catch_up` says what becomes of
    missed ticks: latest (one run), none, all (a hundred at most).
    """

    task: str
    cron: str
    timezone: str = "UTC"
    id: str | None = None
    dedup_key: str | None = None
    external_id: str | None = None
    window: str | None = None
    catch_up: str = "latest"


class GetSchedule(Struct, tag="get_schedule"):
    """→ Schedule."""

    id: str


class SwitchSchedule(Struct, tag="switch_schedule"):
    """Activate or deactivate → Schedule."""

    id: str
    active: bool


class DeleteSchedule(Struct, tag="delete_schedule"):
    """→ Schedule as it was."""

    id: str


class RunSchedule(Struct, tag="run_schedule"):
    """A run as of a tick that is now; the ticks of the schedule stay → TriggerAnswer."""

    id: str


class NextTicks(Struct, tag="next_ticks"):
    """The ticks to come of that schedule, or of that expression → Ticks."""

    id: str | None = None
    cron: str = ""
    timezone: str = "UTC"
    count: int = 5


class Ticks(Struct):
    """Nominal times; none while a schedule is not active."""

    at: list[int]


class ListSchedules(Struct, tag="schedules"):
    """Newest first → SchedulePage. Each comes with its `ticks` next ones, at most 100, of those
    that are due within `ahead_ms`.
    """

    skip: int = 0
    limit: int = 25
    ticks: int = 0
    ahead_ms: int = 86_400_000


class Schedule(Struct):
    """`next_at` is the nominal time of the next tick, None while inactive; `starts_at` the time at
    which its window lets it start; `last_at` the nominal time of the last one that was fired.
    """

    id: str
    kind: str
    task: str
    cron: str
    timezone: str
    active: bool
    description: str
    dedup_key: str | None = None
    external_id: str | None = None
    window: str | None = None
    next_at: int | None = None
    starts_at: int | None = None
    catch_up: str = "latest"
    last_at: int | None = None
    ticks: list[int] = []


class SchedulePage(Struct):
    """`count` is that of all schedules."""

    schedules: list[Schedule]
    count: int


class ListDeployments(Struct, tag="deployments"):
    """Newest first → DeploymentPage. Cursors are ids of deployments."""

    created_from: int | None = None
    created_to: int | None = None
    after: str | None = None
    before: str | None = None
    limit: int = 25


class CurrentDeployment(Struct, tag="current_deployment"):
    """The version that new runs get: the promoted one, or else that of the newest workers →
    Deployment. Raises NotFound before the first one.
    """


class DeploymentPage(Struct):
    deployments: list[Deployment]
    next: str | None = None
    previous: str | None = None


class PauseEnvironment(Struct, tag="pause_environment"):
    """Start no more runs of the environment, or start them again → EnvironmentState."""

    paused: bool


class TraceRun(Struct, tag="trace"):
    """What happened in a run and the runs below it → Trace. With `span_id` only that span, with its
    data, and what is directly below it. Raises NotFound, also for a span.
    """

    run_id: str
    span_id: str | None = None


class SpanEvent(Struct):
    """A line that the run wrote; `data` is JSON text."""

    at: int
    level: str
    message: str
    data: str | None = None


class Span(Struct):
    """`kind`: run, attempt, what the entry of the journal is, diverged: the wait for a decision, or
    span: one that a program made. `ended_at` None = still going on. `data` is JSON text: the
    attributes of a program's span, and where it was asked for the entry's result or the run's
    output; `status`, `task`, `queue`, `version` and `machine` are of runs, `key` and `generation`
    of entries.
    """

    id: str
    run_id: str
    kind: str
    message: str
    started_at: int
    parent_id: str | None = None
    ended_at: int | None = None
    is_error: bool = False
    is_canceled: bool = False
    level: str = "TRACE"
    attempt: int = 0
    key: str = ""
    generation: int = 0
    data: str | None = None
    status: Status | None = None
    task: str = ""
    queue: str = ""
    version: str = ""
    machine: str | None = None
    events: list[SpanEvent] = []


class Trace(Struct):
    """`spans` begin with that of the run; each comes after its parent. `truncated`: more runs or
    entries are there than are shown.
    """

    trace_id: str
    spans: list[Span]
    truncated: bool = False


OperatingRequest = (
    DeployingRequest
    | ObservingRequest
    | InspectRun
    | StartBulk
    | GetBulk
    | AbortBulk
    | ListBulks
    | SetSchedule
    | GetSchedule
    | SwitchSchedule
    | DeleteSchedule
    | ListSchedules
    | RunSchedule
    | NextTicks
    | ListDeployments
    | CurrentDeployment
    | PauseEnvironment
    | EnvironmentRequest
    | TraceRun
)
OperatingResponse = (
    DeployingResponse
    | ObservingResponse
    | RunDetail
    | Bulk
    | BulkPage
    | Schedule
    | SchedulePage
    | Ticks
    | TriggerAnswer
    | DeploymentPage
    | EnvironmentResponse
    | Trace
)
OPERATING: dict[type[Struct], type[Struct]] = {
    **DEPLOYING,
    InspectRun: RunDetail,
    StartBulk: Bulk,
    GetBulk: Bulk,
    AbortBulk: Bulk,
    ListBulks: BulkPage,
    SetSchedule: Schedule,
    GetSchedule: Schedule,
    SwitchSchedule: Schedule,
    DeleteSchedule: Schedule,
    ListSchedules: SchedulePage,
    RunSchedule: TriggerAnswer,
    NextTicks: Ticks,
    ListDeployments: DeploymentPage,
    CurrentDeployment: Deployment,
    PauseEnvironment: EnvironmentState,
    TraceRun: Trace,
    **ENVIRONMENTS,
    **OBSERVING,
}
