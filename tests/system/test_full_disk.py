"""A disk without room: nothing acknowledged is lost, and work goes on when there is room again."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from pathlib import Path

import pytest

from mainspring.errors import ServerUnreachable, StoreUnavailable
from mainspring.model.run import Run, TriggerOptions, TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from tests.system.cluster import Cluster
from tests.system.watching import registered

FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
TIMES = 10 if FULL else 1
RESUMED_S = 10.0 if FULL else 90.0
"""Triggers are acknowledged again so soon after there is room; the promise is 10 s."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "state.db")


def allow(cluster: Cluster, size: int) -> None:
    """No file of the server may become larger, as on a disk that is full then."""
    assert cluster.server is not None
    resource.prlimit(cluster.server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def trigger(client: HttpTransport) -> list[str]:
    """Runs for later, with metadata that fill the disk; none when they were not acknowledged."""
    later = TriggerOptions(delay_ms=3_600_000, metadata='{"x":"' + "x" * 20_000 + '"}')
    request = TriggerRequest("quick", '{"pause":0.1}', later)
    try:
        made = await client.call(calls.Trigger([request] * 10))
    except (StoreUnavailable, ServerUnreachable):
        return []
    assert isinstance(made, calls.Triggered)
    return [answer.run_id for answer in made.answers]


async def test_a_full_disk_loses_nothing_and_room_is_used_at_once(cluster: Cluster) -> None:
    cluster.start_server()
    worker = cluster.start_worker(1)
    await registered(cluster)
    cluster.kill_worker(worker, with_children=True)
    client = HttpTransport(cluster.url, cluster.key, attempts=1, timeout=1.0)
    acknowledged, resumed = list[str](), list[float]()
    for _ in range(TIMES):
        files = cluster.root.glob("state.db*")
        allow(cluster, max(file.stat().st_size for file in files) + 300_000)
        while made := await trigger(client):
            acknowledged += made
        allow(cluster, resource.RLIM_INFINITY)
        began = time.monotonic()
        while not (made := await trigger(client)):  # noqa: ASYNC110 - in the server
            await asyncio.sleep(0.05)
        acknowledged += made
        resumed.append(time.monotonic() - began)
    await client.close()
    client = cluster.client()
    for run_id in acknowledged:
        run = await client.call(calls.Retrieve(run_id))
        assert isinstance(run, Run)
        assert run.id == run_id
    await client.close()
    await cluster.stop()
    assert max(resumed) < RESUMED_S
    print(  # noqa: T201 - with -s it is the table of ./dev chaos
        f"\n{TIMES} x disk full: {len(acknowledged)} runs acknowledged, 0 lost; acknowledged "
        f"again after there was room: worst {max(resumed):.2f} s"
    )
