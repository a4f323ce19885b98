"""Mainspring's public names. Each is imported at its first use."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.errors import (
        AbortRun,
        Conflict,
        InvalidOptions,
        InvalidPayload,
        JournalFull,
        MainspringError,
        Misplaced,
        NotFound,
        RateLimited,
        ResultTimeout,
        RetryRun,
        RunCanceled,
        RunFailed,
        ServerUnreachable,
        StepConflict,
        StepFailed,
        Unauthorized,
        UnknownTask,
        WaitTimeout,
    )
    from mainspring.sdk import (
        batches,
        bulk,
        deployments,
        env_vars,
        events,
        hooks,
        idempotency,
        observe,
        queues,
        retrying as retry,
        runs,
        schedules,
        streams,
        sync,
        tags,
        tasks,
        wait,
    )
    from mainspring.sdk.atomic import transaction
    from mainspring.sdk.batch import Batch
    from mainspring.sdk.call import Call
    from mainspring.sdk.checkpoint import checkpoint
    from mainspring.sdk.children import gather
    from mainspring.sdk.client import Client, SyncClient
    from mainspring.sdk.context import Context, current
    from mainspring.sdk.continuing import continue_with
    from mainspring.sdk.cron import Cron
    from mainspring.sdk.decorate import schedule, task
    from mainspring.sdk.handles import Handle
    from mainspring.sdk.limits import Debounce, Queue, RateLimit, Retry
    from mainspring.sdk.locals import Local
    from mainspring.sdk.logger import logger
    from mainspring.sdk.machine import Machine
    from mainspring.sdk.metadata import metadata
    from mainspring.sdk.meter import meter
    from mainspring.sdk.moments import now, random, uuid
    from mainspring.sdk.parallel import parallel
    from mainspring.sdk.remote import RemoteTask
    from mainspring.sdk.step import Step, step
    from mainspring.sdk.task import Task
    from mainspring.sdk.tracer import tracer
    from mainspring.sdk.transport import configure
    from mainspring.wire.ticks import ScheduledPayload
else:
    from mainspring.sdk.names import (
        listed as __dir__,  # noqa: F401 - what `dir` of this module calls
        public as __getattr__,  # noqa: F401 - what the first use of a name calls
    )

__all__ = [
    "AbortRun",
    "Batch",
    "Call",
    "Client",
    "Conflict",
    "Context",
    "Cron",
    "Debounce",
    "Handle",
    "InvalidOptions",
    "InvalidPayload",
    "JournalFull",
    "Local",
    "Machine",
    "MainspringError",
    "Misplaced",
    "NotFound",
    "Queue",
    "RateLimit",
    "RateLimited",
    "RemoteTask",
    "ResultTimeout",
    "Retry",
    "RetryRun",
    "RunCanceled",
    "RunFailed",
    "ScheduledPayload",
    "ServerUnreachable",
    "Step",
    "StepConflict",
    "StepFailed",
    "SyncClient",
    "Task",
    "Unauthorized",
    "UnknownTask",
    "WaitTimeout",
    "batches",
    "bulk",
    "checkpoint",
    "configure",
    "continue_with",
    "current",
    "deployments",
    "env_vars",
    "events",
    "gather",
    "hooks",
    "idempotency",
    "logger",
    "metadata",
    "meter",
    "now",
    "observe",
    "parallel",
    "queues",
    "random",
    "retry",
    "runs",
    "schedule",
    "schedules",
    "step",
    "streams",
    "sync",
    "tags",
    "task",
    "tasks",
    "tracer",
    "transaction",
    "uuid",
    "wait",
]

__version__ = "0.1.0"
