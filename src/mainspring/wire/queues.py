"""Queues as the public JSON shows them and as its requests name them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

from mainspring.errors import CallerError, NotFound
from mainspring.model.task import default_queue
from mainspring.wire.calls import Queue
from mainspring.wire.moments import iso

_TASK: Final = default_queue("")
_TYPES: Final = ("id", "task", "custom")
_MOST: Final = 100_000


def queue_id(name: str) -> str:
    """The id of a queue; it follows from the name, so it is the same on every server."""
    return "queue_" + hashlib.sha256(name.encode(errors="replace")).hexdigest()[:24]


def queue(found: Queue) -> dict[str, Any]:
    """One queue. The name of a task's own queue is the bare id of the task."""
    of_task = found.name.startswith(_TASK)
    return {
        "id": queue_id(found.name),
        "name": found.name.removeprefix(_TASK),
        "type": "task" if of_task else "custom",
        "version": "V2",
        "running": found.running,
        "queued": found.queued,
        "paused": found.paused,
        "concurrencyLimit": found.limit,
        "concurrency": {
            "current": found.limit,
            "base": found.base_limit,
            "override": found.override_limit,
            "overriddenAt": None if found.override_at is None else iso(found.override_at),
            "overriddenBy": None,
        },
    }


def named(queues: Iterable[Queue], parameter: str, type_: str) -> Queue:
    """The queue that a path means; names arrive encoded twice. Raises: NotFound, CallerError."""
    if type_ not in _TYPES:
        raise CallerError(f"type is {type_[:40]!r}; {', '.join(_TYPES)} is allowed.")
    name = unquote(parameter)
    for found in queues:
        if type_ == "id" and queue_id(found.name) == parameter:
            return found
        if type_ == "task" and found.name == default_queue(name):
            return found
        if type_ == "custom" and found.name == name and not name.startswith(_TASK):
            return found
    raise NotFound("queue-not-found")


def kind(body: Any) -> str:
    """How a request's body says that its path names a queue. Raises: CallerError."""
    if not isinstance(body, dict):
        raise CallerError("Body Error: the body must be an object.")
    type_ = body.get("type", "id")
    if not isinstance(type_, str):
        raise CallerError('Body Error: "type" must be text.')
    return type_


def pausing(body: Any) -> bool:
    """Whether a body asks to pause; False = to resume. Raises: CallerError."""
    action = body.get("action") if isinstance(body, dict) else None
    if action not in ("pause", "resume"):
        raise CallerError('Body Error: "action" must be pause or resume.')
    return bool(action == "pause")


def limit(body: Any) -> int:
    """The limit that a body asks for. Raises: CallerError."""
    value = body.get("concurrencyLimit") if isinstance(body, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise CallerError(
            f'Body Error: "concurrencyLimit" must be a whole number from 0 to {_MOST:,}.'
        )
    return value
