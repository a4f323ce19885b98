"""Tasks by their ids, for callers without the code: nothing is checked on this side."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any, Unpack

from mainspring.errors import InvalidPayload
from mainspring.model.duration import Duration
from mainspring.model.run import Run
from mainspring.sdk.batch import Batch, send_batch, send_batch_sync
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


async def batch(calls: Iterable[Call[Any]]) -> Batch[Any]:
    """Make a run for each call, of any tasks, all or none; a list of handles in the same order,
    with an id. More than 1,000 calls are sent piece by piece, of which each is stored as a whole.
    """
    return await send_batch([*calls])


def batch_sync(calls: Iterable[Call[Any]]) -> Batch[Any]:
    """`batch` for blocking code."""
    return send_batch_sync([*calls])


async def batch_trigger(
    task_id: str, payloads: Iterable[Any], **options: Unpack[Options]
) -> Batch[Any]:
    """Make a run of one task for each payload, as `batch` does.

    Raises: as `trigger`. For options of single runs, and for several tasks, there is `batch`.
    """
    return await send_batch([call(task_id, payload, **options) for payload in payloads])


async def trigger_and_poll(
    task_id: str,
    payload: Any = None,
    *,
    timeout: Duration | None = None,
    **options: Unpack[Options],
) -> Run:
    """Make a run and give it once it is final, however it ended; it takes a connection meanwhile.

    Raises: as `trigger`, and ResultTimeout after `timeout`; the run goes on.
    """
    handle = await trigger(task_id, payload, **options)
    return await handle.poll(timeout)


async def list() -> builtins.list[Task]:
    """Every task that workers of this environment have registered."""
    return (await ask(ListTasks(), TaskList)).tasks
