"""Waiting for what servers and workers do; tests have a time-out of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from mainspring.errors import MainspringError
from mainspring.model.run import Run
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from tests.system.cluster import Cluster

T = TypeVar("T")


async def until(condition: Callable[[], T]) -> T:
    """Wait for something that other processes do; what the condition said then."""
    while not (said := condition()):  # noqa: ASYNC110 - no event crosses the process border
        await asyncio.sleep(0.02)
    return said


async def registered(cluster: Cluster) -> None:
    """Until a worker has announced its tasks."""
    client = cluster.client()
    while True:
        try:
            answer = await client.call(calls.ListTasks())
        except MainspringError:
            continue
        assert isinstance(answer, calls.TaskList)
        if any(task.workers for task in answer.tasks):
            await client.close()
            return
        await asyncio.sleep(0.05)


async def ended(client: HttpTransport, run_id: str) -> Run:
    """The run when it has ended, whatever happens to servers meanwhile."""
    while True:
        try:
            run = await client.call(calls.AwaitRun(run_id, 10_000))
        except MainspringError:
            continue
        assert isinstance(run, Run)
        if run.status.is_final:
            return run
