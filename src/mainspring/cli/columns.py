"""Which fields of an item people see in a table or a sheet, and how each is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from mainspring.cli.item import Columns, Item
from mainspring.cli.output import ago, compact, pretty, span
from mainspring.model.duration import spell


def _text(name: str) -> Callable[[Item], str]:
    return lambda item: "" if item.get(name) is None else str(item[name])


def _when(name: str) -> Callable[[Item], str]:
    return lambda item: ago(_at(item.get(name)))


def _json(name: str) -> Callable[[Item], str]:
    return lambda item: pretty(item.get(name))


def _words(name: str) -> Callable[[Item], str]:
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
    "ID": _text("id"),
    "TASK": _text("taskIdentifier"),
    "STATUS": _text("status"),
    "CREATED": _when("createdAt"),
    "TOOK": _took,
    "TAGS": _words("tags"),
}
RUN_SHEET: Final[Columns] = {
    "run": _text("id"),
    "task": _text("taskIdentifier"),
    "status": _text("status"),
    "version": _text("version"),
    "attempts": lambda item: str(item.get("attemptCount") or ""),
    "created": _when("createdAt"),
    "delayed until": _text("delayedUntil"),
    "started": _when("startedAt"),
    "finished": _when("finishedAt"),
    "took": _took,
    "tags": _words("tags"),
    "key": _text("idempotencyKey"),
    "batch": _text("batchId"),
    "metadata": _json("metadata"),
    "payload": _json("payload"),
    "output": _json("output"),
    "error": _error,
}
TASK: Final[Columns] = {
    "ID": _text("id"),
    "QUEUE": _text("queue"),
    "WORKERS": _text("workers"),
    "DESCRIPTION": _text("description"),
}
TASK_SHEET: Final[Columns] = {
    "task": _text("id"),
    "description": _text("description"),
    "queue": _text("queue"),
    "version": _text("version"),
    "workers": _text("workers"),
    "file": lambda item: f"{item['filePath']}:{item['line']}" if item.get("filePath") else "",
    "attempts": lambda item: str(item["retry"]["maxAttempts"]),
    "max duration": lambda item: _spelled(item, "maxDurationMs"),
    "ttl": lambda item: _spelled(item, "ttlMs"),
    "concurrency key": _text("concurrencyKey"),
    "idempotency key": _text("idempotencyKey"),
    "payload": _json("payloadSchema"),
}
QUEUE: Final[Columns] = {
    "QUEUE": _text("queue"),
    "QUEUED": _text("queued"),
    "RUNNING": _text("running"),
    "LIMIT": lambda item: _limit(item),
    "TOTAL": _of("totalLimit"),
    "RATE": _text("rate"),
    "PAUSED": lambda item: "paused" if item.get("paused") else "",
}
EXPLANATION: Final[Columns] = {
    "run": _text("runId"),
    "gate": _text("gate"),
    "why": _text("text"),
    "position": _text("position"),
    "running": _text("running"),
    "limit": _text("limit"),
    "starts": _when("startsAt"),
    "held by": lambda item: "\n".join(item.get("holders") or ()),
}
TOKEN: Final[Columns] = {
    "ID": _text("id"),
    "STATUS": _text("status"),
    "CREATED": _when("createdAt"),
    "TIMES OUT": lambda item: _when("timeoutAt")(item) if item["status"] == "WAITING" else "",
    "KEY": _text("idempotencyKey"),
    "TAGS": _words("tags"),
}
TOKEN_SHEET: Final[Columns] = {
    "token": _text("id"),
    "status": _text("status"),
    "created": _when("createdAt"),
    "times out": TOKEN["TIMES OUT"],
    "completed": _when("completedAt"),
    "key": _text("idempotencyKey"),
    "tags": _words("tags"),
    "output": _json("output"),
    "address": _text("url"),
}
ENTRY: Final[Columns] = {
    "KEY": _text("key"),
    "KIND": _text("kind"),
    "STATUS": _text("status"),
    "STARTED": _when("startedAt"),
    "DATA": lambda item: _short(compact(item.get("data")) or ", ".join(item.get("waitsFor") or ())),
}


def log_line(item: Item) -> str:
    """One line of a run's log as text."""
    data = item.get("data")
    level = str(item["level"]).upper()
    return f"{item['time'][11:23]} {level:<5} {item['message']}" + (
        f" {compact(data)}" if data is not None else ""
    )


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _spelled(item: Item, name: str) -> str:
    milliseconds = item.get(name)
    return spell(milliseconds) if milliseconds else ""


def _limit(item: Item) -> str:
    text, parts = _of("concurrencyLimit")(item), item.get("concurrency") or {}
    return f"{text} (code: {_of('base')(parts)})" if parts.get("overriddenAt") else text
