"""Queues as the public JSON shows them and as its requests name them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, Literal
from urllib.parse import unquote

from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError, NotFound
from mainspring.model.task import default_queue
from mainspring.wire.calls import Queue
from mainspring.wire.moments import iso
from mainspring.wire.pages import OffsetPagination

_TASK: Final = default_queue("")
_TYPES: Final = ("id", "task", "custom")
_MOST: Final = 100_000


class Concurrency(Struct, rename="camel"):
    """The limit in force, the code's own, and what people set over it."""

    current: int | None
    base: int | None
    override: int | None
    overridden_at: str | None
    overridden_by: str | None


class ShownQueue(Struct, rename="camel"):
    """A queue as it stands. The name of a task's own queue is the bare id of the task."""

    id: str
    name: str
    type: Literal["task", "custom"]
    version: Literal["V1", "V2"]
    running: int
    queued: int
    paused: bool
    concurrency_limit: int | None
    concurrency: Concurrency


class QueueList(Struct):
    data: list[ShownQueue]
    pagination: OffsetPagination


class Naming(Struct):
    """How the path names the queue."""

    type: Literal["id", "task", "custom"] = "id"


class Pausing(Naming, kw_only=True):
    action: Literal["pause", "resume"]


class Override(Naming, rename="camel", kw_only=True):
    """A number, or per cent of the environment's limit."""

    concurrency_limit: int | UnsetType = UNSET
    percent: float | UnsetType = UNSET


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
        "version": "V1",  # it has a limit of its own; V2 is a mere line in front of named limits
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


def limit(body: Any) -> tuple[int | None, float | None]:
    """The limit that a body asks for, as a number or as per cent of the environment's.

    Raises: CallerError.
    """
    percent = body.get("percent") if isinstance(body, dict) else None
    if percent is not None:
        right = isinstance(percent, int | float) and not isinstance(percent, bool)
        if not right or not 0 <= percent <= 100 or "concurrencyLimit" in body:
            raise CallerError(
                'Body Error: "percent" must be a number from 0 to 100, without "concurrencyLimit".'
            )
        return None, percent
    value = body.get("concurrencyLimit") if isinstance(body, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise CallerError(
            f'Body Error: "concurrencyLimit" must be a whole number from 0 to {_MOST:,}.'
        )
    return value, None
