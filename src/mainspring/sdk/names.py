"""Where the public names live, so that `import mainspring` loads none of them. No code of theirs.

A command line that prints a version, and a worker that needs `task` alone, do not pay for the
client. Checkers read the imports in `mainspring/__init__.py`, which a test holds against these.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

MODULES: Final = {
    "batches": "sdk.batches",
    "bulk": "sdk.bulk",
    "deployments": "sdk.deployments",
    "env_vars": "sdk.env_vars",
    "events": "sdk.events",
    "hooks": "sdk.hooks",
    "idempotency": "sdk.idempotency",
    "observe": "sdk.observe",
    "queues": "sdk.queues",
    "retry": "sdk.retrying",
    "runs": "sdk.runs",
    "schedules": "sdk.schedules",
    "streams": "sdk.streams",
    "sync": "sdk.sync",
    "tags": "sdk.tags",
    "tasks": "sdk.tasks",
    "wait": "sdk.wait",
}
HOMES: Final = {
    "AbortRun": "errors",
    "Conflict": "errors",
    "InvalidOptions": "errors",
    "InvalidPayload": "errors",
    "JournalFull": "errors",
    "MainspringError": "errors",
    "Misplaced": "errors",
    "NotFound": "errors",
    "RateLimited": "errors",
    "ResultTimeout": "errors",
    "RetryRun": "errors",
    "RunCanceled": "errors",
    "RunFailed": "errors",
    "ServerUnreachable": "errors",
    "StepConflict": "errors",
    "StepFailed": "errors",
    "Unauthorized": "errors",
    "UnknownTask": "errors",
    "WaitTimeout": "errors",
    "transaction": "sdk.atomic",
    "Batch": "sdk.batch",
    "Call": "sdk.call",
    "checkpoint": "sdk.checkpoint",
    "gather": "sdk.children",
    "Client": "sdk.client",
    "SyncClient": "sdk.client",
    "Context": "sdk.context",
    "current": "sdk.context",
    "continue_with": "sdk.continuing",
    "Cron": "sdk.cron",
    "schedule": "sdk.decorate",
    "task": "sdk.decorate",
    "Handle": "sdk.handles",
    "Debounce": "sdk.limits",
    "Queue": "sdk.limits",
    "RateLimit": "sdk.limits",
    "Retry": "sdk.limits",
    "Local": "sdk.locals",
    "logger": "sdk.logger",
    "Machine": "sdk.machine",
    "metadata": "sdk.metadata",
    "meter": "sdk.meter",
    "now": "sdk.moments",
    "random": "sdk.moments",
    "uuid": "sdk.moments",
    "parallel": "sdk.parallel",
    "RemoteTask": "sdk.remote",
    "Step": "sdk.step",
    "step": "sdk.step",
    "Task": "sdk.task",
    "tracer": "sdk.tracer",
    "configure": "sdk.transport",
    "ScheduledPayload": "wire.ticks",
}


def public(name: str) -> Any:
    """The public name of that name, imported now. Raises: AttributeError when there is none."""
    if name in MODULES:
        found = importlib.import_module(f"mainspring.{MODULES[name]}")
    elif name in HOMES:
        found = getattr(importlib.import_module(f"mainspring.{HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'mainspring' has no attribute {name!r}")
    setattr(sys.modules["mainspring"], name, found)  # the next use does not come here
    return found


def listed() -> list[str]:
    """What `dir(mainspring)` shows, also what was not used yet."""
    return sorted({*vars(sys.modules["mainspring"]), *MODULES, *HOMES})
