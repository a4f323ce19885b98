"""A run as values: its status, what a caller asks for, what a reader sees. No storage, no rules."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, field

PAYLOAD_LIMIT: Final = 3 * 1024 * 1024
OUTPUT_LIMIT: Final = 10 * 1024 * 1024
INLINE_LIMIT: Final = 64 * 1024
"""Payloads and outputs above this many bytes go to the object store."""


class Status(StrEnum):
    """The thirteen public states of a run; stored and spoken with these words."""

    DELAYED = "delayed"
    PENDING_VERSION = "pending_version"
    QUEUED = "queued"
    DEQUEUED = "dequeued"
    EXECUTING = "executing"
    WAITING = "waiting"
    COMPLETED = "completed"
    CANCELED = "canceled"
    FAILED = "failed"
    CRASHED = "crashed"
    SYSTEM_FAILURE = "system_failure"
    EXPIRED = "expired"
    TIMED_OUT = "timed_out"

    @property
    def is_final(self) -> bool:
        """Whether the run has ended; a final status never changes."""
        return self in FINAL


FINAL: Final = frozenset(
    {
        Status.COMPLETED,
        Status.CANCELED,
        Status.FAILED,
        Status.CRASHED,
        Status.SYSTEM_FAILURE,
        Status.EXPIRED,
        Status.TIMED_OUT,
    }
)
FREES_KEY: Final = FINAL - {Status.COMPLETED}
"""Final states that free the run's idempotency key."""


class Debounce(Struct, frozen=True):
    """Triggers of one key within `delay_ms` become one run, at the latest `max_delay_ms` after the
    first. `leading` keeps the first payload, `trailing` the last.
    """

    key: str
    delay_ms: int
    mode: str = "leading"
    max_delay_ms: int | None = None


class TriggerOptions(Struct, omit_defaults=True):
    """Options of one trigger as the engine takes them: already checked, times in ms.

    `idempotency_key` is the final key (scope already mixed in by the caller's side);
    `idempotency_shown` is the user's own text. `run_id` is set when the caller made the id itself.
    `request_key` makes a repeated request answer with the same run. `upload` is the storage path at
    which the payload lies instead. `checked` = the caller's side has validated the payload against
    the task's own types, so the server need not. `awaited`: the parent waits for the end of the
    run. `deployment` is the external id of the deployment whose version the run is for, `inherits`
    says that `version` is that of the parent. `schedule_id` and `bulk_id` name what made the run.
    `trace` is the caller's W3C `traceparent`.
    """

    queue: str | None = None
    concurrency_key: str | None = None
    delay_ms: int | None = None
    delay_until: int | None = None
    ttl_ms: int | None = None
    idempotency_key: str | None = None
    idempotency_shown: str | None = None
    idempotency_scope: str | None = None
    idempotency_ttl_ms: int | None = None
    tags: tuple[str, ...] = ()
    metadata: str | None = None
    priority_ms: int = 0
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    machine: str | None = None
    version: str | None = None
    deployment: str | None = None
    inherits: bool = False
    is_test: bool = False
    debounce: Debounce | None = None
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    batch_id: str | None = None
    replay_of: str | None = None
    region: str | None = None
    schedule_id: str | None = None
    bulk_id: str | None = None
    awaited: bool = False
    request_key: str | None = None
    run_id: str | None = None
    upload: str | None = None
    checked: bool = False
    trace: str | None = None


class TriggerRequest(Struct):
    """One run asked for. `payload` is JSON text."""

    task: str
    payload: str = "null"
    options: TriggerOptions = field(default_factory=TriggerOptions)


class TriggerAnswer(Struct, frozen=True):
    """The run that a trigger led to; `cached` when a key or debounce gave an old one."""

    run_id: str
    cached: bool = False


class RunError(Struct, omit_defaults=True):
    """Why an attempt or a run ended without success."""

    message: str
    name: str = "Error"
    stack: str = ""
    code: str = ""
    details: Any = None


class Run(Struct):
    """Everything a reader may see of a run. JSON values (`payload`, `output`, `metadata`) are JSON
    text; None where there is none yet. `change` is the number of the commit that changed it last, 0
    where it was not asked for.
    """

    id: str
    task: str
    status: Status
    queue: str
    env_id: int
    created_at: int
    concurrency_key: str = ""
    version: str = ""
    payload: str | None = None
    output: str | None = None
    error: RunError | None = None
    metadata: str | None = None
    tags: tuple[str, ...] = ()
    attempt: int = 0
    max_attempts: int = 3
    priority_ms: int = 0
    idempotency_key: str | None = None
    is_test: bool = False
    started_at: int | None = None
    finished_at: int | None = None
    updated_at: int = 0
    delayed_until: int | None = None
    retry_at: int | None = None
    ttl_ms: int | None = None
    max_duration_ms: int | None = None
    active_ms: int = 0
    parent_id: str | None = None
    root_id: str | None = None
    batch_id: str | None = None
    replay_of: str | None = None
    machine: str | None = None
    region: str | None = None
    schedule_id: str | None = None
    awaited: bool = False
    depth: int = 0
    cancel_requested_at: int | None = None
    payload_ref: str | None = None
    output_ref: str | None = None
    change: int = 0
    streams: tuple[str, ...] = ()
    trace: str | None = None


class RunFilter(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Which runs a list shows, newest first. Empty fields do not filter; several values of one
    field mean any of them. `machine` and `region` are those that the run asks for, `schedule` and
    `bulk` ids of what made or changed it, `error` the name of what it ended with, or `#` and the
    fingerprint of its group of errors. `after` (older) and `before` (newer) are run ids from a
    page's cursors. A field that is none is refused: without it the filter would mean more runs.
    """

    status: tuple[Status, ...] = ()
    task: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    machine: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    schedule: tuple[str, ...] = ()
    bulk: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    batch_id: str | None = None
    is_test: bool | None = None
    created_from: int | None = None
    created_to: int | None = None
    after: str | None = None
    before: str | None = None
    limit: int = 25


class RunPage(Struct):
    """One page of runs, newest first; `next` and `previous` are cursors or None at the ends."""

    runs: list[Run]
    next: str | None = None
    previous: str | None = None
