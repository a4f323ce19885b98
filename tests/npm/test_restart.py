"""Subscriptions of the official SDK over the death of the server that they hang on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from asyncio.subprocess import PIPE, Process
from typing import Any

import httpx2
import pytest

from tests.npm.platforms import TASKS
from tests.npm.suites import HERE
from tests.system.cluster import Cluster
from tests.system.conftest import cluster, database, fresh_postgres_url
from tests.system.watching import registered

__all__ = ["TASKS", "cluster", "database", "fresh_postgres_url"]

WORDS = 2


class Survivor:
    """The Node process and what it has told so far."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.told: list[dict[str, Any]] = []
        self._input, self._output = process.stdin, process.stdout

    async def until(self, **wanted: object) -> None:
        """Read on until a line has told that."""
        while not any(wanted.items() <= line.items() for line in self.told):
            line = await self._output.readline()
            assert line, f"it ended before {wanted} with {self.told}"
            self.told.append(json.loads(line))

    def go_on(self) -> None:
        self._input.write(b"\n")

    def heard(self, name: str) -> list[object]:
        """The values under that name in order, each as often as it has changed."""
        values = [line[name] for line in self.told if name in line]
        return [value for at, value in enumerate(values) if at == 0 or value != values[at - 1]]


async def ready(cluster: Cluster) -> None:
    async with httpx2.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get(f"{cluster.url}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_run_and_stream_go_on_where_they_were_when_the_server_dies(
    cluster: Cluster, node_path: str
) -> None:
    cluster.start_server()
    cluster.start_worker(processes=1)
    await registered(cluster)
    platform = {"MAINSPRING_URL": cluster.url, "MAINSPRING_SECRET_KEY": cluster.key}
    command = (node_path, "node/survivor.mjs", str(WORDS))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=HERE, env=os.environ | platform, stdin=PIPE, stdout=PIPE
    )
    survivor = Survivor(process)
    try:
        for step in range(WORDS):
            await survivor.until(done=step)
            await survivor.until(word=step)
            if step == 0:
                cluster.kill_server()
                cluster.start_server()
                await ready(cluster)
            survivor.go_on()
        await survivor.until(status="COMPLETED", output=WORDS)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert survivor.heard("word") == list(range(WORDS))
    assert survivor.heard("done") == list(range(WORDS + 1))
    await cluster.stop()
