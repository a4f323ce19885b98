"""Which fields of an item people see in a table or a sheet, and how each is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from mainspring.cli.item import Columns, Item
from mainspring.cli.output import ago, compact, pretty, span
from mainspring.model.duration import spell


def text(name: str) -> Callable[[Item], str]:
    """A field as it is; empty when it is missing."""
    return lambda item: "" if item.get(name) is None else str(item[name])


def when(name: str) -> Callable[[Item], str]:
    """A moment, as how long ago it was."""
    return lambda item: ago(_at(item.get(name)))


def _json(name: str) -> Callable[[Item], str]:
    return lambda item: pretty(item.get(name))


def words(name: str) -> Callable[[Item], str]:
    """A list of words."""
    return lambda item: ", ".join(item.get(name) or ())


def _at(value: Any) -> int | None:
    return round(datetime.fromisoformat(value).timestamp() * 1000) if value else None


def _took(item: Item) -> str:
    milliseconds = item["durationMs"]
    if not milliseconds and not item["isCompleted"]:
        return ""
    return f"{milliseconds} ms" if milliseconds < 1000 else span(milliseconds / 1000)


def _error(item: Item) -> str:
    error = item.get("error")
    if not error:
        return ""
    first = f"{error.get('name', 'Error')}: {error['message']}"
    return f"{first}\n{error['stackTrace'].rstrip()}" if error.get("stackTrace") else first


def _of(name: str) -> Callable[[Item], str]:
    return lambda item: "no limit" if item.get(name) is None else str(item[name])


RUN: Final[Columns] = {
    "ID": text("id"),
    "TASK": text("taskIdentifier"),
    "STATUS": text("status"),
    "CREATED": when("createdAt"),
    "TOOK": _took,
    "TAGS": words("tags"),
}
RUN_SHEET: Final[Columns] = {
    "run": text("id"),
    "task": text("taskIdentifier"),
    "status": text("status"),
    "version": text("version"),
    "attempts": lambda item: str(item.get("attemptCount") or ""),
    "created": when("createdAt"),
    "delayed until": text("delayedUntil"),
    "started": when("startedAt"),
    "finished": when("finishedAt"),
    "took": _took,
    "tags": words("tags"),
    "key": text("idempotencyKey"),
    "batch": text("batchId"),
    "metadata": _json("metadata"),
    "payload": _json("payload"),
    "output": _json("output"),
    "error": _error,
}
TASK: Final[Columns] = {
    "ID": text("id"),
    "QUEUE": text("queue"),
    "WORKERS": text("workers"),
    "DESCRIPTION": text("description"),
}
TASK_SHEET: Final[Columns] = {
    "task": text("id"),
    "description": text("description"),
    "queue": text("queue"),
    "version": text("version"),
    "workers": text("workers"),
    "file": lambda item: f"{item['filePath']}:{item['line']}" if item.get("filePath") else "",
    "attempts": lambda item: str(item["retry"]["maxAttempts"]),
    "max duration": lambda item: _spelled(item, "maxDurationMs"),
    "ttl": lambda item: _spelled(item, "ttlMs"),
    "concurrency key": text("concurrencyKey"),
    "idempotency key": text("idempotencyKey"),
    "payload": _json("payloadSchema"),
}
QUEUE: Final[Columns] = {
    "QUEUE": text("queue"),
    "QUEUED": text("queued"),
    "RUNNING": text("running"),
    "LIMIT": lambda item: _limit(item),
    "PAUSED": lambda item: "paused" if item.get("paused") else "",
    "RATE": text("rate"),
    "TOTAL": _of("totalLimit"),
}
EXPLANATION: Final[Columns] = {
    "run": text("runId"),
    "gate": text("gate"),
    "why": text("text"),
    "position": text("position"),
    "running": text("running"),
    "limit": text("limit"),
    "starts": when("startsAt"),
    "held by": lambda item: "\n".join(item.get("holders") or ()),
}
BATCH: Final[Columns] = {
    "ID": text("id"),
    "STATUS": text("status"),
    "ITEMS": text("runCount"),
    "OVER": text("endedCount"),
    "REFUSED": lambda item: str(item["failedCount"] or ""),
    "CREATED": when("createdAt"),
    "KEY": text("idempotencyKey"),
}
BATCH_SHEET: Final[Columns] = {
    "batch": text("id"),
    "status": text("status"),
    "created": when("createdAt"),
    "changed": when("updatedAt"),
    "items": text("runCount"),
    "key": text("idempotencyKey"),
    "runs": lambda item: "\n".join(item["runs"]),
    "refused": lambda item: "\n".join(
        f"{error['index']} {error['taskIdentifier']}: {error['error']}"
        for error in item["processing"]["errors"]
    ),
}
BULK_SHEET: Final[Columns] = {
    "bulk action": text("id"),
    "what": lambda item: str(item["type"]).lower(),
    "status": text("status"),
    "done": lambda item: str(item["counts"]["success"]),
    "refused": lambda item: str(item["counts"]["failure"] or ""),
}
TOKEN: Final[Columns] = {
    "ID": text("id"),
    "STATUS": text("status"),
    "CREATED": when("createdAt"),
    "TIMES OUT": lambda item: when("timeoutAt")(item) if item["status"] == "WAITING" else "",
    "KEY": text("idempotencyKey"),
    "TAGS": words("tags"),
}
TOKEN_SHEET: Final[Columns] = {
    "token": text("id"),
    "status": text("status"),
    "created": when("createdAt"),
    "times out": TOKEN["TIMES OUT"],
    "completed": when("completedAt"),
    "key": text("idempotencyKey"),
    "tags": words("tags"),
    "output": _json("output"),
    "address": text("url"),
}
SCHEDULE: Final[Columns] = {
    "ID": text("id"),
    "TASK": text("task"),
    "WHEN": lambda item: item["generator"]["expression"],
    "NEXT RUN": lambda item: when("nextRun")(item) if item["active"] else "off",
    "ZONE": text("timezone"),
    "IN WORDS": lambda item: item["generator"]["description"],
}
SCHEDULE_SHEET: Final[Columns] = {
    "schedule": text("id"),
    "task": text("task"),
    "when": lambda item: f"{item['generator']['expression']} ({item['generator']['description']})",
    "zone": text("timezone"),
    "active": lambda item: "yes" if item["active"] else "no",
    "next run": lambda item: (
        f"{item['nextRun']}, {SCHEDULE['NEXT RUN'](item)}" if item.get("nextRun") else ""
    ),
    "window": text("window"),
    "missed": text("catchUp"),
    "key": text("deduplicationKey"),
    "external id": text("externalId"),
}
TICK: Final[Columns] = {"UTC": text("at"), "THERE": text("local")}
ENVIRONMENT: Final[Columns] = {
    "environment": text("name"),
    "paused": lambda item: "paused" if item["paused"] else "",
    "limit": _of("concurrencyLimit"),
    "burst": text("burst"),
    "running": text("running"),
    "queued": text("queued"),
}
NAMES: Final[Columns] = {"NAME": text("name")}
VARIABLE: Final[Columns] = {
    "NAME": text("name"),
    "VALUE": lambda item: short(item["value"]),
    "SECRET": lambda item: "secret" if item["isSecret"] else "",
}
ENTRY: Final[Columns] = {
    "KEY": text("key"),
    "KIND": text("kind"),
    "STATUS": text("status"),
    "STARTED": when("startedAt"),
    "DATA": lambda item: short(compact(item.get("data")) or ", ".join(item.get("waitsFor") or ())),
}


def log_line(item: Item) -> str:
    """One line of a run's log as text."""
    data = item.get("data")
    level = str(item["level"]).upper()
    return f"{item['time'][11:23]} {level:<5} {item['message']}" + (
        f" {compact(data)}" if data is not None else ""
    )


def short(text: str, most: int = 60) -> str:
    """The beginning of a text that is too long for a table."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _spelled(item: Item, name: str) -> str:
    milliseconds = item.get(name)
    return spell(milliseconds) if milliseconds else ""


def _limit(item: Item) -> str:
    text, parts = _of("concurrencyLimit")(item), item.get("concurrency") or {}
    return f"{text} (code: {_of('base')(parts)})" if parts.get("overriddenAt") else text
