"""A batch over HTTP whose server is killed between and within its phases: each item is one run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from mainspring.model.run import RunFilter, RunPage, Status
from mainspring.wire import calls
from tests.system.cluster import Cluster
from tests.system.watching import ended, registered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ITEMS = 600
KILLS = 5


class Filler:
    """A client of the two phases, which repeats what was not answered, as SDKs do."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self._chance = chance
        self._client = httpx2.AsyncClient(
            base_url=cluster.url, headers={"authorization": f"Bearer {cluster.key}"}, timeout=20
        )

    async def create(self) -> str:
        body = {"runCount": ITEMS, "idempotencyKey": "b" * 64}
        key = {"x-trigger-request-idempotency-key": "the-same"}
        while True:
            with contextlib.suppress(httpx2.HTTPError):
                response = await self._client.post("/api/v3/batches", json=body, headers=key)
                if response.status_code < 500:
                    return str(response.json()["id"])
            await asyncio.sleep(0.05)

    async def fill(self, batch_id: str) -> Any:
        """Stream until the batch is sealed; every second stream breaks off in the middle."""
        path = f"/api/v3/batches/{batch_id}/items"
        headers = {"content-type": "application/x-ndjson"}
        for attempt in range(1000):
            with contextlib.suppress(httpx2.HTTPError, ConnectionError):
                lines = self._lines(broken=attempt % 2 == 0)
                response = await self._client.post(path, content=lines, headers=headers)
                if response.status_code == 200 and response.json()["sealed"]:
                    return response.json()
                assert response.status_code in (200, 400, 503), response.text
            await asyncio.sleep(0.05)
        raise AssertionError("the batch was never full")

    async def _lines(self, *, broken: bool) -> AsyncIterator[bytes]:
        end = self._chance.randrange(ITEMS) if broken else ITEMS
        for number in range(ITEMS):
            if number == end:
                raise ConnectionError("broken off by the test")
            payload = {"pause": 0.0}
            line = json.dumps({"index": number, "task": "quick", "payload": payload})
            yield line.encode() + b"\n"
            if number % 50 == 0:
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        await self._client.aclose()


async def test_each_item_is_one_run_whenever_the_server_is_killed(cluster: Cluster) -> None:
    chance = random.Random(7)
    cluster.start_server()
    cluster.start_worker(processes=1)
    await registered(cluster)
    filler = Filler(cluster, chance)
    batch_id = await filler.create()
    await asyncio.to_thread(cluster.kill_server)
    cluster.start_server()
    assert await filler.create() == batch_id
    streams = [asyncio.create_task(filler.fill(batch_id)) for _ in range(2)]
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.1, 0.8))
        await asyncio.to_thread(cluster.kill_server)
        cluster.start_server()
    for told in await asyncio.gather(*streams):
        assert told["sealed"]
    client = cluster.client()
    state = await client.call(calls.RetrieveBatch(batch_id))
    assert isinstance(state, calls.BatchState)
    assert (state.received, state.failed, len(set(state.runs))) == (ITEMS, 0, ITEMS)
    made = Counter(await _runs_of(client, batch_id))
    assert made == Counter(state.runs)
    for run_id in state.runs:
        assert (await ended(client, run_id)).status is Status.COMPLETED
    state = await client.call(calls.RetrieveBatch(batch_id))
    assert isinstance(state, calls.BatchState)
    assert state.status == "completed"
    await client.close()
    await filler.close()
    await cluster.stop()


async def _runs_of(client: Any, batch_id: str) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        page = await client.call(
            calls.ListRuns(RunFilter(batch_id=batch_id, after=after, limit=100))
        )
        assert isinstance(page, RunPage)
        found += [run.id for run in page.runs]
        if page.next is None:
            return found
        after = page.next
