"""User code around clients that mypy and pyright must understand; checked, never executed."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from mainspring import Batch, Client, Handle, SyncClient, task
from mainspring.model.run import Run
from mainspring.sdk.tokens import Token
from mainspring.wire.calls import LogEntry, Queue


@task
async def resize(path: str, width: int) -> bytes:
    return b""


async def right() -> None:
    async with Client("https://jobs.example", "key", timeout="10s") as client:
        assert_type(client, Client)
        assert_type(await client.tasks.trigger("far", {"a": 1}, delay="1h"), Handle[Any])
        assert_type(await client.tasks.batch_trigger("far", [1, 2]), Batch[Any])
        assert_type(await client.tasks.trigger_and_poll("far", timeout=3), Run)
        assert_type(await client.runs.retrieve("run_1"), Run)
        assert_type(client.runs.list(status="failed", limit=3), AsyncIterator[Run])
        assert_type(client.runs.logs("run_1", after=3), AsyncIterator[LogEntry])
        assert_type(client.runs.handle("run_1"), Handle[Any])
        assert_type(await client.queues.list(), list[Queue])
        assert_type(await client.tokens.create(timeout="1h"), Token)
        assert_type(await client.streams.send("run_1", "in", {"a": 1}), int)
        assert_type(await resize.with_options(client=client).trigger("a", 1), Handle[bytes])


def right_blocking() -> None:
    with SyncClient() as client:
        assert_type(client, SyncClient)
        assert_type(client.tasks.trigger("far", 1, tags="x"), Handle[Any])
        assert_type(client.runs.retrieve("run_1"), Run)
        assert_type(client.runs.list(status="failed"), Iterator[Run])
        assert_type(client.queues.pause("mail"), Queue)
        assert_type(resize.with_options(client=client).trigger_sync("a", 1), Handle[bytes])


async def wrong(client: Client, blocking: SyncClient) -> None:
    await client.runs.retrieve(3)  # type: ignore[arg-type]
    await client.runs.retrieve("a", 1)  # type: ignore[call-arg]
    await client.tasks.trigger("far", 1, priorit=3)  # type: ignore[call-arg]
    await client.tasks.trigger("far", 1, delay=[])  # type: ignore[arg-type]
    client.runs.list(state="failed")  # type: ignore[call-arg]
    client.runs.missing("a")  # type: ignore[attr-defined]
    await blocking.runs.retrieve("a")  # type: ignore[misc]
    await resize.with_options(client="x").trigger("a", 1)  # type: ignore[arg-type]
