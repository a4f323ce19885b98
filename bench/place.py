"""Where a benchmark runs: a fresh database of each kind, and an engine with a worker in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import asyncpg

from mainspring.clock import SystemClock
from mainspring.engine.engine import Engine
from mainspring.model.run import TriggerOptions, TriggerRequest
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.sqlite import SqliteStore
from mainspring.wire import calls

STORES = ("sqlite", "postgres")
POSTGRES = os.environ.get("MAINSPRING_TEST_POSTGRES", "postgresql://127.0.0.1:5432/postgres")
PAYLOAD = '{"i": 4711, "text": "' + "x" * 100 + '"}'
Store = SqliteStore | PostgresStore


@contextlib.asynccontextmanager
async def database(kind: str) -> AsyncIterator[str]:
    """The URL of an empty database, removed afterwards."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="mainspring-bench-") as folder:
            yield f"sqlite:///{Path(folder) / 'bench.db'}"
        return
    name = f"ms_bench_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(POSTGRES)
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        yield f"{POSTGRES.rpartition('/')[0]}/{name}"
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


def store_of(url: str) -> Store:
    if url.startswith("sqlite:///"):
        return SqliteStore(url.removeprefix("sqlite:///"))
    return PostgresStore(url)


class Platform:
    """An engine on a store inside this process, with the tasks of the benchmarks registered."""

    def __init__(self, store: Store, engine: Engine, env: EnvironmentRow) -> None:
        self.store = store
        self.engine = engine
        self.env = env

    async def trigger(self, count: int, task: str = "noop", keys: int = 0) -> float:
        """Queue runs, 1,000 a call; returns seconds. `keys` > 0 spreads them over so many keys."""
        begin = time.perf_counter()
        for first in range(0, count, 1000):
            requests = [
                TriggerRequest(
                    task,
                    PAYLOAD,
                    TriggerOptions(
                        concurrency_key=f"key-{n % keys}" if keys else None, checked=True
                    ),
                )
                for n in range(first, min(first + 1000, count))
            ]
            await self.engine.answer(self.env, calls.Trigger(requests))
        return time.perf_counter() - begin


@contextlib.asynccontextmanager
async def platform(url: str) -> AsyncIterator[Platform]:
    store = store_of(url)
    await store.open(migrate=True)
    engine = Engine(store, store.objects, SystemClock(), random.Random(), "bench")
    await store.catalog.ensure_environment("dev")
    env = await store.catalog.ensure_environment("dev")
    tasks = [TaskSpec(name, f"task/{name}") for name in ("noop", "stamp")]
    tasks += [TaskSpec("keyed", "keyed"), TaskSpec("unlimited", "unlimited")]
    await store.catalog.register(env.env_id, "", tasks, [QueueSpec("keyed", limit=2)])
    await engine.start()
    try:
        yield Platform(store, engine, env)
    finally:
        await engine.stop()
        await store.close()
        await asyncio.sleep(0)


async def fill_finished(url: str, count: int) -> None:
    """Put finished runs into the database, straight into its tables."""
    run = (
        "INSERT INTO run (shard_id, run_id, env_id, task, queue, ckey, version, payload, options, "
        "depth, is_test, created_at) SELECT e.shard_id, {id}, e.env_id, 'noop', 'task/noop', '', "
        "'', '{{}}', '', 0, 0, 1700000000000 + n FROM environment e CROSS JOIN {numbers}"
    )
    done = (
        "INSERT INTO run_done (shard_id, run_id, env_id, task, queue, status, epoch, attempt, "
        "output, started_at, finished_at, active_ms) SELECT e.shard_id, {id}, e.env_id, 'noop', "
        "'task/noop', 'completed', 1, 1, 'null', 1700000000000 + n, 1700000000001 + n, 1 "
        "FROM environment e CROSS JOIN {numbers}"
    )
    if url.startswith("sqlite:///"):
        counted = f"SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < {count}"
        numbers = f"(WITH RECURSIVE c AS ({counted}) SELECT n FROM c) g"
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        with connection:
            for statement in (run, done):
                text = "'run_01hf0000000000' || printf('%08d', n)"
                connection.execute(statement.format(id=text, numbers=numbers))
        connection.close()
        return
    numbers = f"generate_series(1, {count}) AS g(n)"
    admin = await asyncpg.connect(url)
    try:
        for statement in (run, done):
            text = "'run_01hf0000000000' || lpad(n::text, 8, '0')"
            await admin.execute(statement.format(id=text, numbers=numbers))
        await admin.execute("ANALYZE")
    finally:
        await admin.close()
