"""Real processes, killed with SIGKILL at random moments under load, on two databases."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import msgspec
import pytest

from mainspring.app.stores import locate, store_at
from mainspring.errors import MainspringError
from mainspring.ids import shard_of
from mainspring.model.run import Run, RunFilter, RunPage, Status, TriggerOptions, TriggerRequest
from mainspring.wire import calls
from tests.system.cluster import Cluster, lives, most_at_once
from tests.system.watching import registered, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
POINTS = 50 if FULL else 30
"""Kills in one scenario; two scenarios on each database make 200 for `./dev chaos`."""
SERVER_KILLS = 4
WORKER_KILLS = 8
PROMISED_S = 20 if os.environ.get("MAINSPRING_CHAOS") == "full" else 90
"""Until the runs of a killed worker have ended elsewhere; its lease is 15 s of that. The promise is
20 s, the rest is for a machine that has other work.
"""
ORPHANINGS = 3
"""Kills of a supervisor alone: its children have to notice."""


class Load:
    """Triggers runs of every kind until it is told to stop, and remembers what was acknowledged.

    Attributes:
        acknowledged: run ids.
        ended: the first final status that anybody saw of a run.
    """

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self.acknowledged: list[str] = []
        self.ended: dict[str, Status] = {}
        self._client = cluster.client()
        self._chance = chance
        self._stop = asyncio.Event()
        self._callers: set[asyncio.Task[Any]] = set()

    async def trigger(self) -> None:
        """One caller: batches of everything, one after the other, of which one comes through."""
        self._called()
        while not (self._stop.is_set() and self.acknowledged):
            try:
                answer = await self._client.call(calls.Trigger(self._batch()))
            except MainspringError:
                continue  # not acknowledged, so nothing is promised
            assert isinstance(answer, calls.Triggered)
            self.acknowledged += [one.run_id for one in answer.answers]
            await asyncio.sleep(self._chance.uniform(0.0, 0.3))

    async def watch(self) -> None:
        """A reader: what it has seen as final stays so."""
        self._called()
        while not self._stop.is_set():
            try:
                page = await self._client.call(calls.ListRuns(RunFilter(limit=100)))
            except MainspringError:
                continue
            assert isinstance(page, RunPage)
            for run in page.runs:
                if run.status.is_final:
                    assert self.ended.setdefault(run.id, run.status) is run.status
            await asyncio.sleep(0.1)

    async def wait_for_all(self) -> dict[str, Run]:
        """Stop triggering; every acknowledged run comes to its end."""
        self._stop.set()
        await asyncio.wait(self._callers)
        found = {}
        for run_id in self.acknowledged:
            run = await self._ended(run_id)
            assert self.ended.get(run_id, run.status) is run.status
            found[run_id] = run
        await self._client.close()
        return found

    def _called(self) -> None:
        """The task of now uses the client, which is not closed before its end."""
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)

    async def _ended(self, run_id: str) -> Run:
        while True:
            try:
                run = await self._client.call(calls.AwaitRun(run_id, 10_000))
            except MainspringError:
                continue
            assert isinstance(run, Run)
            if run.status.is_final:
                return run

    def _batch(self) -> list[TriggerRequest]:
        chance, requests = self._chance, []
        for _ in range(chance.randint(1, 8)):
            task = chance.choice(["quick", "quick", "threaded", "limited", "apart", "family"])
            fields: dict[str, Any] = {"pause": chance.uniform(0.0, 0.1)}
            options = TriggerOptions(tags=("load",))
            if task == "family":
                fields = {"size": chance.randint(1, 4)}
            elif task == "apart":
                options.concurrency_key = f"user-{chance.randint(1, 6)}"
            elif chance.random() < 0.2:
                options.delay_ms = chance.randint(1, 3_000)
            payload = msgspec.json.encode(fields).decode()
            requests.append(TriggerRequest(task, payload, options))
        return requests


async def kill_at_random(cluster: Cluster, chance: random.Random) -> None:
    """Kill servers, workers and children; what is killed as a whole is started again at once."""
    kinds = ["server"] * SERVER_KILLS + ["worker"] * WORKER_KILLS + ["orphans"] * ORPHANINGS
    kinds += ["child"] * (POINTS - len(kinds))
    chance.shuffle(kinds)
    for kind in kinds:
        await asyncio.sleep(chance.uniform(0.05, 0.6))
        if kind == "server":
            await asyncio.to_thread(cluster.kill_server)
            cluster.start_server()
        elif kind == "child":
            cluster.kill(chance.choice(await until(cluster.all_children)))
        else:
            worker = chance.choice(cluster.workers)
            await asyncio.to_thread(cluster.kill_worker, worker, with_children=kind == "worker")
            cluster.start_worker(processes=2)


@pytest.mark.parametrize("seed", [1, 2] if FULL else [1])
async def test_nothing_acknowledged_is_lost_whatever_is_killed(
    cluster: Cluster, database: str, seed: int
) -> None:
    chance = random.Random(seed)
    cluster.start_server()
    for _ in range(2):
        cluster.start_worker(processes=2)
    await registered(cluster)
    load = Load(cluster, chance)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(load.trigger())
        group.create_task(load.watch())
        await kill_at_random(cluster, chance)
        ends = await load.wait_for_all()
    await cluster.stop()
    assert {run.status for run in ends.values()} == {Status.COMPLETED}
    check_history(cluster, ends)
    await check_rows(database, set(ends))


def check_history(cluster: Cluster, ends: dict[str, Run]) -> None:
    """No limit was exceeded at any moment, and what counts as done was done."""
    told = cluster.told()
    bodies = lives(told, cluster.deaths)
    assert most_at_once([body for body in bodies if body.queue == "narrow"]) <= 3
    in_keyed = [body for body in bodies if body.queue == "keyed"]
    assert most_at_once(in_keyed) <= 4
    for key in {body.key for body in in_keyed}:
        assert most_at_once([body for body in in_keyed if body.key == key]) <= 1
    effects = {line["word"] for line in told if line["event"] == "effect"}
    for run in ends.values():
        assert msgspec.json.decode(run.output or "") in effects


async def check_rows(database: str, acknowledged: set[str]) -> None:
    """Every run, the children included, has one end in the tables and no place beside it."""
    store = store_at(locate(database))
    await store.open()
    try:
        shard_id = shard_of(next(iter(acknowledged)))
        ends = await store.live.known(shard_id, sorted(acknowledged))
        assert set(ends) == acknowledged
        assert set(ends.values()) == {"completed"}
        assert await store.live.locate(shard_id, sorted(acknowledged)) == []
        assert await store.live.active(shard_id) == []
        assert await store.live.lanes(shard_id) == []
    finally:
        await store.close()


async def test_the_runs_of_a_killed_worker_end_elsewhere_soon(
    cluster: Cluster,
) -> None:
    cluster.start_server()
    doomed = cluster.start_worker(processes=1, slots=100)
    await registered(cluster)
    client = cluster.client()
    asked = [TriggerRequest("stuck", "{}") for _ in range(100)]
    triggered = await client.call(calls.Trigger(asked))
    assert isinstance(triggered, calls.Triggered)
    await until(lambda: sum(line["event"] == "begin" for line in cluster.told()) == 100)
    cluster.start_worker(processes=1, slots=100)
    await asyncio.to_thread(cluster.kill_worker, doomed, with_children=True)
    async with asyncio.timeout(PROMISED_S):
        for one in triggered.answers:
            run = await client.call(calls.AwaitRun(one.run_id, 20_000))
            assert isinstance(run, Run)
            assert (run.status, run.attempt) == (Status.COMPLETED, 1)
    await client.close()
    await cluster.stop()
