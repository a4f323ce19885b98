"""Answers as JSON-ready items with the field names of the HTTP API. No drawing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from mainspring.model.run import Run
from mainspring.wire.calls import Explanation, LogEntry, Queue, Task


def run(answer: Run) -> dict[str, Any]:
    """A run; fields without a value are left out."""
    error = answer.error
    item = {
        "id": answer.id,
        "status": answer.status.upper(),
        "taskIdentifier": answer.task,
        "idempotencyKey": answer.idempotency_key,
        "version": answer.version or None,
        "isTest": answer.is_test,
        "createdAt": moment(answer.created_at),
        "updatedAt": moment(answer.updated_at),
        "startedAt": moment(answer.started_at),
        "finishedAt": moment(answer.finished_at),
        "delayedUntil": moment(answer.delayed_until),
        "tags": list(answer.tags),
        "durationMs": answer.active_ms,
        "attemptCount": answer.attempt,
        "batchId": answer.batch_id,
        "metadata": _value(answer.metadata),
        "payload": _value(answer.payload),
        "output": _value(answer.output),
        "error": error
        and {"message": error.message, "name": error.name, "stackTrace": error.stack or None},
    }
    return {name: value for name, value in item.items() if value is not None}


def explanation(answer: Explanation) -> dict[str, Any]:
    """Why a run is not running."""
    item = _camel(answer)
    item["startsAt"] = moment(answer.starts_at)
    return item


def queue(answer: Queue) -> dict[str, Any]:
    """A queue as it stands. `queue` is the name that runs carry and filters take."""
    task_name = answer.name.removeprefix("task/")
    return {
        "queue": answer.name,
        "name": task_name,
        "type": "custom" if task_name == answer.name else "task",
        "queued": answer.queued,
        "running": answer.running,
        "paused": answer.paused,
        "concurrencyLimit": answer.limit,
        "concurrency": {
            "current": answer.limit,
            "base": answer.base_limit,
            "override": answer.override_limit,
            "overriddenAt": moment(answer.override_at),
        },
        "totalLimit": answer.total,
        "rate": answer.rate,
    }


def task(answer: Task) -> dict[str, Any]:
    """A registered task."""
    return _camel(answer)


def log(entry: LogEntry) -> dict[str, Any]:
    """A line that a run wrote; `data` is the JSON value itself."""
    item = _camel(entry)
    item["at"] = moment(entry.at)
    item["data"] = _value(entry.data)
    return item


def moment(at: int | None) -> str | None:
    """Epoch ms as the API writes it: UTC, milliseconds, Z."""
    if at is None:
        return None
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _value(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _camel(answer: msgspec.Struct) -> dict[str, Any]:
    fields = msgspec.structs.asdict(answer)
    return {_camel_name(name): msgspec.to_builtins(value) for name, value in fields.items()}


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
