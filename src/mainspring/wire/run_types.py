"""The types of public JSON about runs, for the description of the API and its tests. No values."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from mainspring.wire.pages import CursorQuery, Pagination
from mainspring.wire.schedules import Generator

Word = Literal[
    "PENDING_VERSION", "DELAYED", "QUEUED", "DEQUEUED", "EXECUTING", "WAITING", "FROZEN",
    "COMPLETED", "CANCELED", "FAILED", "CRASHED", "SYSTEM_FAILURE", "EXPIRED", "TIMED_OUT",
]  # fmt: skip
Function = Literal["trigger", "triggerAndWait", "batchTrigger", "batchTriggerAndWait"]


class Id(Struct):
    """`{"id"}`."""

    id: str


class Message(Struct):
    message: str


class Common(Struct, rename="camel", kw_only=True):
    """What every place that names a run shows of it."""

    id: str
    status: Word
    task_identifier: str
    idempotency_key: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    is_queued: bool
    is_executing: bool
    is_waiting: bool
    is_completed: bool
    is_success: bool
    is_failed: bool
    is_cancelled: bool
    is_test: bool
    created_at: str
    updated_at: str
    started_at: str | UnsetType = UNSET
    finished_at: str | UnsetType = UNSET
    delayed_until: str | UnsetType = UNSET
    expired_at: str | UnsetType = UNSET
    ttl: str | UnsetType = UNSET
    tags: list[str]
    cost_in_cents: float
    base_cost_in_cents: float
    duration_ms: int
    metadata: dict[str, Any] | UnsetType = UNSET
    region: str | UnsetType = UNSET


class RunEnvironment(Struct):
    id: str
    name: str


class ListedRun(Common, kw_only=True):
    """A run in a list."""

    env: RunEnvironment


class RunList(Struct):
    """A page of runs, newest first."""

    data: list[ListedRun]
    pagination: Pagination


class RelatedRun(Common, rename="camel", kw_only=True):
    """A run beside another one."""

    depth: int
    trigger_function: Function
    batch_id: str | UnsetType = UNSET


class RelatedRuns(Struct):
    """`children` are the first 100."""

    root: RelatedRun | UnsetType = UNSET
    parent: RelatedRun | UnsetType = UNSET
    children: list[RelatedRun] | UnsetType = UNSET


class ErrorCause(Struct, rename="camel"):
    message: str
    name: str | UnsetType = UNSET
    stack_trace: str | UnsetType = UNSET


class ShownError(ErrorCause, rename="camel"):
    causes: list[ErrorCause] | UnsetType = UNSET


class RunSchedule(Struct, rename="camel", kw_only=True):
    """The schedule that made a run."""

    id: str
    external_id: str | UnsetType = UNSET
    deduplication_key: str | UnsetType = UNSET
    generator: Generator


class WholeRun(RelatedRun, rename="camel", kw_only=True):
    """One run with everything."""

    payload: Any = UNSET
    payload_presigned_url: str | UnsetType = UNSET
    output: Any = UNSET
    output_presigned_url: str | UnsetType = UNSET
    error: ShownError | UnsetType = UNSET
    schedule: RunSchedule | UnsetType = UNSET
    related_runs: RelatedRuns
    attempt_count: int


class Replay(
    Struct,
    rename={
        "payload_type": "payloadType",
        "concurrency_key": "concurrencyKey",
        "idempotency_key": "idempotencyKey",
        "idempotency_key_ttl": "idempotencyKeyTTL",
        "max_attempts": "maxAttempts",
        "max_duration": "maxDuration",
    },
):
    """What a replay does differently; `payload` is encoded text of one of the two JSON types."""

    payload: str | UnsetType = UNSET
    payload_type: str | UnsetType = UNSET
    metadata: dict[str, Any] | str | UnsetType = UNSET
    tags: str | list[str] | UnsetType = UNSET
    queue: str | UnsetType = UNSET
    concurrency_key: str | int | float | UnsetType = UNSET
    machine: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    delay: str | int | UnsetType = UNSET
    ttl: str | int | UnsetType = UNSET
    idempotency_key: str | UnsetType = UNSET
    idempotency_key_ttl: str | UnsetType = UNSET
    max_attempts: int | UnsetType = UNSET
    max_duration: int | UnsetType = UNSET
    priority: float | UnsetType = UNSET


class Delay(Struct):
    """A duration or a date."""

    delay: str | int


class Tags(Struct):
    tags: str | list[str]


class TaskName(Struct, rename="camel"):
    task_identifier: str


class Usage(Struct, rename="camel"):
    duration_ms: int


class Result(Struct, rename="camel"):
    """How a run ended: with `output`, encoded as `outputType` says, or with `error`."""

    ok: bool
    id: str
    output: str | UnsetType = UNSET
    output_type: str | UnsetType = UNSET
    error: dict[str, Any] | UnsetType = UNSET
    task_identifier: str | UnsetType = UNSET
    usage: Usage | UnsetType = UNSET


class RunEvent(Struct):
    """A line that the run wrote."""

    seq: int
    time: str
    level: str
    message: str
    data: Any = UNSET


class RunEvents(Struct):
    events: list[RunEvent]


class RunQuery(
    CursorQuery,
    rename={name: f"page[{name}]" for name in ("size", "after", "before")}
    | {
        name: f"filter[{word}]"
        for name, word in (
            ("status", "status"),
            ("task", "taskIdentifier"),
            ("tag", "tag"),
            ("queue", "queue"),
            ("version", "version"),
            ("machine", "machine"),
            ("region", "region"),
            ("bulk", "bulkAction"),
            ("schedule", "schedule"),
            ("batch", "batch"),
            ("error", "error"),
            ("is_test", "isTest"),
            ("created_from", "createdAt][from"),
            ("created_to", "createdAt][to"),
            ("period", "createdAt][period"),
        )
    },
):
    """Filters of a list of runs: lists with commas, any of which fits."""

    status: str | UnsetType = UNSET
    task: str | UnsetType = UNSET
    tag: str | UnsetType = UNSET
    queue: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    machine: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    bulk: str | UnsetType = UNSET
    schedule: str | UnsetType = UNSET
    batch: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    is_test: Literal["true", "false"] | UnsetType = UNSET
    created_from: str | UnsetType = UNSET
    created_to: str | UnsetType = UNSET
    period: str | UnsetType = UNSET
