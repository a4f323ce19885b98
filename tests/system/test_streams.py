"""Streams of real worker processes that are killed: nothing stored is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mainspring import streams
from mainspring.errors import MainspringError
from mainspring.sdk import transport
from mainspring.sdk.http import HttpTransport
from mainspring.sdk.output_read import StreamRecord
from tests.system.cluster import Cluster
from tests.system.test_durable import trigger
from tests.system.watching import ended, registered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TASKS = Path(__file__).with_name("stream_tasks.py")
RUNS, COUNT = 4, 400
KILLS = 6


async def followed(run_id: str) -> list[StreamRecord[Any]]:
    """The whole stream, as a reader sees it that is there from the beginning and comes again."""
    found: list[StreamRecord[Any]] = []
    while True:
        try:
            async for record in streams.define("out").records(run_id, start_index=len(found)):
                found.append(record)  # noqa: PERF401 - what came before an error counts
        except MainspringError:
            await asyncio.sleep(0.1)  # the server was killed
        else:
            return found


async def killed_now_and_then(
    cluster: Cluster, readers: Sequence[asyncio.Task[list[StreamRecord[Any]]]]
) -> None:
    """Kill what has just written, as long as there is anything to read."""
    chance = random.Random(7)
    for kill in range(KILLS):
        known = len(cluster.told())
        await asyncio.sleep(chance.uniform(0.3, 0.6) if kill else 0)
        while len(cluster.told()) == known:
            if all(reader.done() for reader in readers):
                return
            await asyncio.sleep(0.02)
        if kill == KILLS // 2:
            cluster.kill_server()
            cluster.start_server()
        else:
            cluster.kill(cluster.told()[-1]["pid"])


async def test_no_stored_chunk_is_lost_or_doubled_when_workers_and_servers_are_killed(
    cluster: Cluster, client: HttpTransport
) -> None:
    cluster.start_server()
    cluster.start_worker(2)
    await registered(cluster)
    with transport.using(client):
        runs = await trigger(client, "talk", RUNS, count=COUNT)
        readers = [asyncio.create_task(followed(run_id)) for run_id in runs]
        await killed_now_and_then(cluster, readers)
        for run_id in runs:
            assert (await ended(client, run_id)).output == str(COUNT)
        found = dict(zip(runs, await asyncio.gather(*readers), strict=True))
        for run_id in runs:
            assert [one async for one in streams.define("out").records(run_id)] == found[run_id]
    executions = 0
    for run_id, records in found.items():
        assert [record.index for record in records] == list(range(len(records)))
        epochs = [record.epoch for record in records]
        assert epochs == sorted(epochs)
        written = {epoch: [r.data["n"] for r in records if r.epoch == epoch] for epoch in epochs}
        for numbers in written.values():
            assert numbers == list(range(len(numbers)))
        assert len(written[epochs[-1]]) == COUNT
        executions += len(written)
        for line in cluster.told():
            if line["run"] == run_id:
                assert len(written[line["epoch"]]) > line["stored"], line
    assert executions > RUNS  # some were killed in the middle


async def test_a_run_with_a_process_of_its_own_writes_streams(
    cluster: Cluster, client: HttpTransport
) -> None:
    cluster.start_server()
    cluster.start_worker(1)
    await registered(cluster)
    with transport.using(client):
        [run_id] = await trigger(client, "apart", count=50)
        assert [n async for n in streams.read(run_id, "out")] == list(range(50))
        assert [text async for text in streams.read(run_id, "log")] == ["begun"]
    run = await ended(client, run_id)
    assert (run.output, run.streams) == ("50", ("log", "out"))
