"""Tasks by their ids, for callers without the code: nothing is checked on this side."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any, Unpack

from mainspring.errors import InvalidPayload
from mainspring.sdk.call import Call, send, send_sync
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.handles import Handle, plain
from mainspring.sdk.options import Options, resolve
from mainspring.sdk.transport import ask
from mainspring.wire.calls import ListTasks, Task, TaskList


async def trigger(task_id: str, payload: Any = None, **options: Unpack[Options]) -> Handle[Any]:
    """Make a run of a task by its id; the server checks the payload against the task's schema.

    Raises: UnknownTask, InvalidPayload, InvalidOptions.
    """
    return (await send([call(task_id, payload, **options)]))[0]


def trigger_sync(task_id: str, payload: Any = None, **options: Unpack[Options]) -> Handle[Any]:
    """`trigger` for blocking code."""
    return send_sync([call(task_id, payload, **options)])[0]


def call(task_id: str, payload: Any = None, **options: Unpack[Options]) -> Call[Any]:
    """A call for `batch`; nothing is sent. Raises: InvalidPayload, InvalidOptions.

    A key that is a function is called with the payload.
    """
    try:
        text = to_json(payload).decode()
    except BEYOND_JSON as error:
        raise InvalidPayload(
            f"The payload for task {task_id!r} cannot be written as JSON: {why(error)}."
        ) from error
    return Call(task_id, text, plain, resolve(options), args=(payload,))


async def batch(calls: Iterable[Call[Any]]) -> builtins.list[Handle[Any]]:
    """Make a run for each call, of any tasks, at most 1,000, all or none; in the same order."""
    return await send([*calls])


def batch_sync(calls: Iterable[Call[Any]]) -> builtins.list[Handle[Any]]:
    """`batch` for blocking code."""
    return send_sync([*calls])


async def list() -> builtins.list[Task]:
    """Every task that workers of this environment have registered."""
    return (await ask(ListTasks(), TaskList)).tasks
