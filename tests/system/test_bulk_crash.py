"""A bulk replay whose server is killed again and again makes each new run once."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.errors import MainspringError, ServerUnreachable
from mainspring.model.run import RunFilter, RunPage, TriggerOptions, TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from mainspring.wire.errors import should_retry
from mainspring.wire.operating import Bulk, GetBulk, StartBulk
from tests.system.cluster import Cluster
from tests.system.watching import registered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

RUNS = 3_000
KILLS = 2


async def patiently(client: HttpTransport, request: calls.Request) -> calls.Response:
    """The answer, once a server gives one."""
    while True:
        try:
            return await client.call(request)
        except MainspringError as error:
            if not (should_retry(error) or isinstance(error, ServerUnreachable)):
                raise
            await asyncio.sleep(0.02)


async def moved(client: HttpTransport, old: Bulk) -> Bulk:
    """The bulk action when it has come further."""
    while True:
        found = await patiently(client, GetBulk(old.id))
        assert isinstance(found, Bulk)
        if found.success > old.success or found.status != "pending":
            return found
        await asyncio.sleep(0)


async def test_a_killed_server_neither_doubles_nor_loses_a_replay(cluster: Cluster) -> None:
    cluster.start_server()
    worker = cluster.start_worker(1)
    await registered(cluster)
    cluster.kill_worker(worker, with_children=True)  # the tasks stay known, nobody executes them
    client = cluster.client()
    for _ in range(RUNS // 500):
        later = [TriggerOptions(delay_ms=3_600_000) for _ in range(500)]
        requests = [TriggerRequest("quick", '{"pause":0.1}', options) for options in later]
        await patiently(client, calls.Trigger(requests))
    found = await patiently(client, StartBulk("replay", RunFilter(), request_key="once"))
    assert isinstance(found, Bulk)
    cluster.kill_server()
    cluster.start_server()
    kills = 1
    while found.status == "pending":
        found = await moved(client, found)
        if kills < KILLS and found.status == "pending":
            cluster.kill_server()
            cluster.start_server()
            kills += 1
    assert (found.status, found.total, found.success, found.failure) == ("completed", RUNS, RUNS, 0)
    origins, after = [], None
    while True:
        wanted = RunFilter(bulk=(found.id,), limit=100, after=after)
        page = await patiently(client, calls.ListRuns(wanted))
        assert isinstance(page, RunPage)
        origins += [run.replay_of for run in page.runs]
        after = page.next
        if after is None:
            break
    assert len(origins) == len(set(origins)) == RUNS
    await client.close()
    await cluster.stop()
