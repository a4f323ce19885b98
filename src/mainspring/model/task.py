"""What a worker says of its code: tasks, queues and their limits, as values."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from mainspring.model.retry import RetryPolicy


class RateSpec(Struct, frozen=True, omit_defaults=True):
    """At most `limit` starts in `period_ms`, `burst` of them at once (default: `limit`)."""

    limit: int
    period_ms: int
    burst: int | None = None
    per_key: bool = False


class QueueSpec(Struct, frozen=True, omit_defaults=True):
    """A queue and its limits. `limit` holds for the queue, or for each concurrency key of keyed
    runs; `total` for all keys together; None means no limit.
    """

    name: str
    limit: int | None = None
    total: int | None = None
    rate: RateSpec | None = None
    weight: int = 1


class ScheduleSpec(Struct, frozen=True, omit_defaults=True):
    """A schedule that the code of a task declares; see `model.schedule`."""

    cron: str
    timezone: str = "UTC"
    window: str | None = None
    catch_up: str = "latest"


class TaskSpec(Struct, frozen=True, omit_defaults=True):
    """A task as the server knows it.

    `payload_schema` is JSON Schema (2020-12) or None. `idempotency_key` and `concurrency_key` are
    templates over the payload (`"user-{payload.userId}"`) or None. `on_failure`: when a run ends
    without success (failed, crashed, timed out, system failure), a run of the task
    `failure_task(id)` is made in the same commit, as its child, with the payload `{"run": its id}`.
    """

    id: str
    queue: str
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    max_duration_ms: int | None = None
    ttl_ms: int | None = None
    description: str = ""
    payload_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    idempotency_key: str | None = None
    idempotency_ttl_ms: int | None = None
    concurrency_key: str | None = None
    machine: str | None = None
    isolation: str = "async"
    on_failure: bool = False
    file: str = ""
    line: int = 0
    schedules: tuple[ScheduleSpec, ...] = ()


def default_queue(task_id: str) -> str:
    """The name of the queue that a task without one of its own runs in."""
    return f"task/{task_id}"


def failure_task(task_id: str) -> str:
    """The id of the task that calls the failure hooks of this one."""
    return f"{task_id}:on_failure"
