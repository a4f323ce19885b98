"""A run as the public JSON shows it: camelCase, status words, fields left out where empty.

JSON texts of a run (payload, output, metadata) go into the answer as they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Raw

from mainspring.model.duration import spell
from mainspring.model.run import Run, RunError, RunPage, Status
from mainspring.wire import packets, pages, schedules
from mainspring.wire.calls import LogPage
from mainspring.wire.moments import iso
from mainspring.wire.operating import RunDetail, Schedule
from mainspring.wire.words import flags, status_word

# The vendor's closed list of codes; what has no word there is an error with the name of its class.
_CODES: Final[Mapping[Status, str]] = {
    Status.CANCELED: "TASK_RUN_CANCELLED",
    Status.TIMED_OUT: "MAX_DURATION_EXCEEDED",
    Status.CRASHED: "TASK_RUN_CRASHED",
    Status.SYSTEM_FAILURE: "TASK_EXECUTION_FAILED",
    Status.EXPIRED: "UNSPECIFIED_ERROR",
}


def common(run: Run, version: str | None) -> dict[str, Any]:
    """What every place that names a run shows of it. `version` is that of the client's API."""
    shown: dict[str, Any] = {
        "id": run.id,
        "status": status_word(run.status, version),
        "taskIdentifier": run.task,
        **flags(run.status, version),
        "isTest": run.is_test,
        "createdAt": iso(run.created_at),
        "updatedAt": iso(max(run.updated_at, run.created_at)),
        "tags": list(run.tags),
        "costInCents": 0,
        "baseCostInCents": 0,
        "durationMs": run.active_ms,
    }
    if run.idempotency_key:
        shown["idempotencyKey"] = run.idempotency_key
    if run.version:
        shown["version"] = run.version
    for name, at in (
        ("startedAt", run.started_at),
        ("finishedAt", run.finished_at),
        ("delayedUntil", run.delayed_until),
        ("expiredAt", run.finished_at if run.status is Status.EXPIRED else None),
    ):
        if at is not None:
            shown[name] = iso(at)
    if run.ttl_ms:
        shown["ttl"] = spell(run.ttl_ms)
    if run.metadata is not None and run.metadata.startswith("{"):
        shown["metadata"] = Raw(run.metadata.encode())
    if run.region:
        shown["region"] = run.region
    return shown


def related(run: Run, version: str | None) -> dict[str, Any]:
    """A run beside another one: its root, its parent or a child."""
    shown = common(run, version)
    shown["depth"] = run.depth
    verb = "batchTrigger" if run.batch_id else "trigger"
    shown["triggerFunction"] = f"{verb}AndWait" if run.awaited else verb
    if run.batch_id:
        shown["batchId"] = run.batch_id
    return shown


def retrieved(found: RunDetail, version: str | None) -> dict[str, Any]:
    """One run with everything, and what stands around it."""
    run = found.run
    shown = related(run, version)
    if run.payload is not None:
        shown["payload"] = Raw(run.payload.encode())
    if run.output is not None and run.status is Status.COMPLETED:
        shown["output"] = Raw(run.output.encode())
    if run.error is not None:
        shown["error"] = error(run.error)
    if found.schedule is not None:
        shown["schedule"] = _schedule(found.schedule)
    around: dict[str, Any] = {
        name: related(one, version)
        for name, one in (("root", found.root), ("parent", found.parent))
        if one is not None
    }
    if found.children:
        around["children"] = [related(child, version) for child in found.children]
    shown["relatedRuns"] = around
    shown["attemptCount"] = run.attempt
    return shown


def _schedule(found: Schedule) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": found.id, "generator": schedules.generator(found)}
    if found.external_id:
        shown["externalId"] = found.external_id
    if found.dedup_key:
        shown["deduplicationKey"] = found.dedup_key
    return shown


def listed(page: RunPage, version: str | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """One page of a list; `environment` is its id and name."""
    rows = [common(run, version) | {"env": environment} for run in page.runs]
    return pages.by_cursor(rows, page.next, page.previous)


def error(found: RunError) -> dict[str, Any]:
    """Why a run ended without success, in the short form."""
    shown: dict[str, Any] = {"message": found.message, "name": found.name}
    if found.stack:
        shown["stackTrace"] = found.stack
    return shown


def result(run: Run) -> dict[str, Any] | None:
    """How a run ended; None while it has not. A large output is named by its storage path."""
    if not run.status.is_final:
        return None
    shown: dict[str, Any] = {"ok": run.status is Status.COMPLETED, "id": run.id}
    if run.status is Status.COMPLETED:
        large = packets.is_large(run.output)
        if run.output is not None:
            shown["output"] = packets.path_of(run.id, "output") if large else run.output
        shown["outputType"] = packets.STORE if large else packets.JSON
        shown["usage"] = {"durationMs": run.active_ms}
    else:
        shown["error"] = _task_error(run)
    shown["taskIdentifier"] = run.task
    return shown


def events(page: LogPage) -> dict[str, Any]:
    """What a run wrote, in order; `data` is a JSON value."""
    rows: Sequence[dict[str, Any]] = [
        {"seq": line.seq, "time": iso(line.at), "level": line.level, "message": line.message}
        | ({"data": Raw(line.data.encode())} if line.data else {})
        for line in page.lines
    ]
    return {"events": rows}


def _task_error(run: Run) -> dict[str, Any]:
    found = run.error
    code = _CODES.get(run.status)
    if code is not None:
        message = found.message if found is not None else f"The run ended as {run.status.value}."
        return {"type": "INTERNAL_ERROR", "code": code, "message": message}
    if found is None:
        return {"type": "STRING_ERROR", "raw": f"The run ended as {run.status.value}."}
    return {
        "type": "BUILT_IN_ERROR",
        "name": found.name,
        "message": found.message,
        "stackTrace": found.stack,
    }
