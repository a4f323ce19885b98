"""What the suites run against, as users run it: `mainspring dev`, and server and worker apart."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mainspring.model.key import new_key
from mainspring.sdk.http import HttpTransport
from mainspring.wire.calls import ListTasks, TaskList
from tests.cli.processes import note, running

TASKS = Path(__file__).with_name("tasks.py")
SECONDS = 15


@dataclass(frozen=True)
class Platform:
    """A server that answers and has workers, and the key of its environment."""

    url: str
    key: str


@contextmanager
def one_process(folder: Path) -> Iterator[Platform]:
    """`mainspring dev` on SQLite."""
    shutil.copy(TASKS, folder)
    with running("dev", "--no-reload", "--port", "0", folder=folder) as dev:
        dev.wait_for("Ready")
        found = note(folder)
        yield Platform(found["url"], found["key"])


@contextmanager
def several_processes(folder: Path, database: str) -> Iterator[Platform]:
    """A server on PostgreSQL and a worker with two processes."""
    shutil.copy(TASKS, folder)
    key = new_key("dev", random.Random(str(folder)))
    environment = {
        "MAINSPRING_SECRET_KEY": key,
        "MAINSPRING_SERVER_ENCRYPTION_KEYS": base64.b64encode(os.urandom(32)).decode(),
    }
    begin = ("server", "--port", "0", "--database", database)
    with running(*begin, folder=folder, **environment) as server:
        url = server.wait_for("Mainspring server at").split()[3].rstrip(",")
        work = ("worker", "--server", url, "--processes", "2")
        with running(*work, folder=folder, **environment) as worker:
            worker.wait_for("Tasks:")
            _wait_for_tasks(url, key)
            yield Platform(url, key)


def _wait_for_tasks(url: str, key: str) -> None:
    """Return once the server knows the tasks of its worker."""
    until = time.monotonic() + SECONDS
    while not asyncio.run(_tasks(url, key)):
        assert time.monotonic() < until, f"no worker has announced tasks after {SECONDS} s"
        time.sleep(0.05)


async def _tasks(url: str, key: str) -> int:
    client = HttpTransport(url, key)
    try:
        found = await client.call(ListTasks())
    finally:
        await client.close()
    assert isinstance(found, TaskList)
    return len(found.tasks)
