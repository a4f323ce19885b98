"""Mainspring's public names. It re-exports and holds nothing else."""

from mainspring.errors import (
    AbortRun,
    Conflict,
    InvalidOptions,
    InvalidPayload,
    MainspringError,
    NotFound,
    RateLimited,
    ResultTimeout,
    RetryRun,
    RunCanceled,
    RunFailed,
    ServerUnreachable,
    Unauthorized,
    UnknownTask,
)
from mainspring.sdk import (
    events,
    hooks,
    idempotency,
    observe,
    queues,
    runs,
    streams,
    sync,
    tags,
    tasks,
)
from mainspring.sdk import retrying as retry
from mainspring.sdk.call import Call
from mainspring.sdk.context import Context, current
from mainspring.sdk.decorate import task
from mainspring.sdk.handles import Handle
from mainspring.sdk.limits import Debounce, Queue, RateLimit, Retry
from mainspring.sdk.locals import Local
from mainspring.sdk.logger import logger
from mainspring.sdk.machine import Machine
from mainspring.sdk.metadata import metadata
from mainspring.sdk.task import Task
from mainspring.sdk.transport import configure

__all__ = [
    "AbortRun",
    "Call",
    "Conflict",
    "Context",
    "Debounce",
    "Handle",
    "InvalidOptions",
    "InvalidPayload",
    "Local",
    "Machine",
    "MainspringError",
    "NotFound",
    "Queue",
    "RateLimit",
    "RateLimited",
    "ResultTimeout",
    "Retry",
    "RetryRun",
    "RunCanceled",
    "RunFailed",
    "ServerUnreachable",
    "Task",
    "Unauthorized",
    "UnknownTask",
    "configure",
    "current",
    "events",
    "hooks",
    "idempotency",
    "logger",
    "metadata",
    "observe",
    "queues",
    "retry",
    "runs",
    "streams",
    "sync",
    "tags",
    "task",
    "tasks",
]

__version__ = "0.1.0"
