"""Answers as JSON-ready items with the field names of the HTTP API. No drawing."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.model.run import Run
from mainspring.model.task import TaskSpec
from mainspring.wire import journal, queues, runs, schedules, waitpoints
from mainspring.wire.bulk import shown as bulk_shown
from mainspring.wire.calls import (
    BatchState,
    Explanation,
    JournalLine,
    LogPage,
    Queue,
    Task,
    Token,
    Variable,
)
from mainspring.wire.moments import iso
from mainspring.wire.observing import BatchBrief
from mainspring.wire.operating import Bulk, RunDetail, Schedule
from mainspring.wire.words import CURRENT


def run(answer: Run) -> dict[str, Any]:
    """A run with everything, as the API retrieves it."""
    return _plain(runs.retrieved(RunDetail(answer), CURRENT))


def listed(answer: Run) -> dict[str, Any]:
    """A run as the API lists it, without payload and output."""
    return _plain(runs.common(answer, CURRENT))


def explanation(answer: Explanation) -> dict[str, Any]:
    """Why a run is not running."""
    item = _camel(answer)
    item["startsAt"] = None if answer.starts_at is None else iso(answer.starts_at)
    return item


def queue(answer: Queue) -> dict[str, Any]:
    """A queue as the API shows it, and beside it `queue`, the name that runs carry."""
    shown = queues.queue(answer) | {"totalLimit": answer.total, "rate": answer.rate}
    return {"queue": answer.name} | shown


def task(answer: Task) -> dict[str, Any]:
    """A registered task; durations are in ms."""
    spec = msgspec.convert(answer.spec, TaskSpec)
    return {
        "id": answer.id,
        "queue": answer.queue,
        "version": answer.version or None,
        "description": answer.description,
        "filePath": spec.file,
        "line": spec.line,
        "workers": answer.workers,
        "retry": {
            "maxAttempts": spec.retry.max_attempts,
            "minTimeoutInMs": spec.retry.min_delay_ms,
            "maxTimeoutInMs": spec.retry.max_delay_ms,
            "factor": spec.retry.factor,
            "randomize": spec.retry.jitter,
        },
        "maxDurationMs": spec.max_duration_ms,
        "ttlMs": spec.ttl_ms,
        "concurrencyKey": spec.concurrency_key,
        "idempotencyKey": spec.idempotency_key,
        "payloadSchema": answer.payload_schema,
        "outputSchema": spec.output_schema,
    }


def variable(answer: Variable) -> dict[str, Any]:
    """An environment variable; the value of a secret is not in it."""
    return {"name": answer.name, "value": answer.value, "isSecret": answer.is_secret}


def token(answer: Token, url: str) -> dict[str, Any]:
    """A token with its output as a value; `url` completes it without a key."""
    shown = waitpoints.retrieved(answer, url)
    if "output" in shown:
        shown["output"] = msgspec.json.decode(shown["output"])
    return shown


def batch_brief(answer: BatchBrief) -> dict[str, Any]:
    """A batch in a list; `endedCount` items are known to be over."""
    return {
        "id": answer.id,
        "status": answer.status.upper(),
        "runCount": answer.run_count,
        "receivedCount": answer.received,
        "failedCount": answer.failed,
        "endedCount": answer.ended,
        "createdAt": iso(answer.created_at),
        "idempotencyKey": answer.idempotency_key,
    }


def batch(answer: BatchState) -> dict[str, Any]:
    """A batch with its runs, with the fields of the API."""
    return {
        "id": answer.id,
        "status": answer.status.upper(),
        "createdAt": iso(answer.created_at),
        "updatedAt": iso(answer.updated_at),
        "runCount": answer.run_count,
        "runs": answer.runs,
        "processing": {
            "completedAt": None if answer.sealed_at is None else iso(answer.sealed_at),
            "errors": [
                {
                    "index": it.number,
                    "taskIdentifier": it.task,
                    "error": it.error,
                    "errorCode": it.code,
                }
                for it in answer.errors
            ],
        },
        "idempotencyKey": answer.idempotency_key,
    }


def bulk(answer: Bulk) -> dict[str, Any]:
    """A bulk action as the API shows it."""
    return bulk_shown(answer)


def schedule(answer: Schedule) -> dict[str, Any]:
    """A schedule as the API shows it, but for the environment, which is the one that was asked."""
    item = _plain(msgspec.to_builtins(schedules.shown(answer, "", "")))
    del item["environments"]
    return item


def entry(line: JournalLine) -> dict[str, Any]:
    """An entry of a journal, or an open wait."""
    return _plain(journal.entry(line))


def logs(page: LogPage) -> list[dict[str, Any]]:
    """Lines that a run wrote."""
    lines: list[dict[str, Any]] = _plain(runs.events(page))["events"]
    return lines


def _plain(shown: dict[str, Any]) -> dict[str, Any]:
    """The same with stored JSON texts as values, so that they can be drawn."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(shown))
    return plain


def _camel(answer: msgspec.Struct) -> dict[str, Any]:
    fields = msgspec.structs.asdict(answer)
    return {_camel_name(name): msgspec.to_builtins(value) for name, value in fields.items()}


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
