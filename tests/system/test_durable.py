"""Durable runs in real worker processes on both databases: hot, cold, and killed at any point."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import msgspec
import pytest

from mainspring.errors import MainspringError
from mainspring.model.run import Run, Status, TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from mainspring.wire.worker import BEAT_S, LEASE_S
from mainspring.worker.lease import MARGIN_S
from tests.system.cluster import Cluster
from tests.system.watching import ended, registered, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TASKS = Path(__file__).with_name("durable_tasks.py")
FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
RUNS = 12
KILLS = 16
SERVER_KILLS = 3


@pytest.fixture
def cluster(cluster: Cluster) -> Cluster:
    cluster.start_server()
    return cluster


async def trigger(client: HttpTransport, task: str, times: int = 1, **payload: object) -> list[str]:
    text = msgspec.json.encode(payload).decode()
    answer = await client.call(calls.Trigger([TriggerRequest(task, text) for _ in range(times)]))
    assert isinstance(answer, calls.Triggered)
    return [one.run_id for one in answer.answers]


async def in_status(client: HttpTransport, run_id: str, status: Status) -> None:
    while True:
        run = await client.call(calls.Retrieve(run_id))
        assert isinstance(run, Run)
        if run.status is status:
            return
        assert not run.status.is_final, run.error
        await asyncio.sleep(0.02)


async def complete_tokens(cluster: Cluster, client: HttpTransport) -> None:
    """Complete each token that a run makes, until canceled; again after a lost answer."""
    known: set[str] = set()
    while True:
        for line in cluster.told():
            if line["event"] == "token" and line["token"] not in known:
                try:
                    await client.call(calls.CompleteToken(line["token"], '"granted"'))
                except MainspringError:
                    continue
                known.add(line["token"])
        await asyncio.sleep(0.05)


def check_steps(cluster: Cluster) -> None:
    """A result that the code of a run once had is never made again, and never another one."""
    passed: dict[tuple[str, str], str] = {}
    for line in cluster.told():
        if "step" not in line:
            continue
        step = line["run"], line["step"]
        if line["event"] == "did":
            assert step not in passed, line
        else:
            assert passed.setdefault(step, line["word"]) == line["word"], line


def pids(cluster: Cluster, run_id: str, event: str) -> list[int]:
    return [one["pid"] for one in cluster.told() if (one["run"], one["event"]) == (run_id, event)]


async def test_steps_waits_children_and_tokens_end_in_one_execution_of_the_code(
    cluster: Cluster, client: HttpTransport
) -> None:
    cluster.start_worker(processes=2)
    await registered(cluster)
    completing = asyncio.create_task(complete_tokens(cluster, client))
    (run_id,) = await trigger(client, "whole", pause=0.1)
    run = await ended(client, run_id)
    completing.cancel()

    assert (run.status, run.attempt) == (Status.COMPLETED, 1), run.error
    output = msgspec.json.decode(run.output or "")
    assert (output["one"], output["many"], output["words"][4]) == (9, [0, 1, 4], "granted")
    assert len(pids(cluster, run_id, "begin")) == 1
    check_steps(cluster)
    await cluster.stop()


@pytest.mark.parametrize("task", ["asked", "asked_in_thread"])
async def test_waiting_runs_outlive_the_process_that_they_wait_in(
    cluster: Cluster, client: HttpTransport, task: str
) -> None:
    worker = cluster.start_worker(processes=1)
    await registered(cluster)
    runs = await trigger(client, task, times=5)
    for run_id in runs:
        await in_status(client, run_id, Status.WAITING)
    cluster.kill(*cluster.children(worker))
    await client.call(calls.EmitEvent("go on"))
    ends = [await ended(client, run_id) for run_id in runs]

    assert {(run.status, run.attempt) for run in ends} == {(Status.COMPLETED, 1)}
    for run_id in runs:
        assert len(set(pids(cluster, run_id, "did"))) == 2
    check_steps(cluster)
    await cluster.stop()


async def test_waiting_runs_do_not_hold_up_a_worker_that_stops(
    cluster: Cluster, client: HttpTransport
) -> None:
    first = cluster.start_worker(processes=1)
    await registered(cluster)
    (run_id,) = await trigger(client, "asked")
    await in_status(client, run_id, Status.WAITING)
    first.send_signal(signal.SIGTERM)
    await asyncio.to_thread(first.wait)  # nobody lets the run go on before that
    cluster.workers.remove(first)
    cluster.start_worker(processes=1)
    await client.call(calls.EmitEvent("go on"))
    run = await ended(client, run_id)

    assert (run.status, run.attempt) == (Status.COMPLETED, 1)
    assert len(pids(cluster, run_id, "begin")) == 2
    check_steps(cluster)
    await cluster.stop()


async def test_waiting_runs_outlive_the_server(cluster: Cluster, client: HttpTransport) -> None:
    cluster.start_worker(processes=1)
    await registered(cluster)
    (run_id,) = await trigger(client, "asked")
    await in_status(client, run_id, Status.WAITING)
    killed_at = time.monotonic()
    await asyncio.to_thread(cluster.kill_server)
    cluster.start_server()
    await registered(cluster)
    away = time.monotonic() - killed_at
    await client.call(calls.EmitEvent("go on"))
    run = await ended(client, run_id)

    assert (run.status, run.attempt) == (Status.COMPLETED, 1)
    # the worker has it still, and says so to the new server, unless its lease ran out meanwhile
    kept = away < LEASE_S - MARGIN_S - BEAT_S
    assert len(pids(cluster, run_id, "begin")) == 1 or not kept
    check_steps(cluster)
    await cluster.stop()


async def test_a_canceled_waiting_run_ends_at_once(cluster: Cluster, client: HttpTransport) -> None:
    cluster.start_worker(processes=1)
    await registered(cluster)
    (run_id,) = await trigger(client, "asked")
    await in_status(client, run_id, Status.WAITING)
    canceled = await client.call(calls.CancelRun(run_id))

    assert isinstance(canceled, Run)
    assert canceled.status is Status.CANCELED
    await cluster.stop()


@pytest.mark.parametrize("seed", [1, 2] if FULL else [1])
async def test_no_result_of_a_step_is_lost_whatever_is_killed(
    cluster: Cluster, client: HttpTransport, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(2):
        cluster.start_worker(processes=2)
    await registered(cluster)
    completing = asyncio.create_task(complete_tokens(cluster, client))
    runs = await trigger(client, "whole", times=RUNS, pause=0.4)
    runs += await trigger(client, "plain", times=RUNS, pause=0.8)
    kinds = ["server"] * SERVER_KILLS + ["child"] * (KILLS - SERVER_KILLS)
    chance.shuffle(kinds)
    for kind in kinds:
        await asyncio.sleep(chance.uniform(0.05, 0.5))
        if kind == "server":
            await asyncio.to_thread(cluster.kill_server)
            cluster.start_server()
        else:
            cluster.kill(chance.choice(await until(cluster.all_children)))
    ends = [await ended(client, run_id) for run_id in runs]
    completing.cancel()

    assert {(run.status, run.attempt) for run in ends} == {(Status.COMPLETED, 1)}
    for run in ends[:RUNS]:
        output = msgspec.json.decode(run.output or "")
        assert (output["one"], output["many"], output["words"][4]) == (9, [0, 1, 4], "granted")
    check_steps(cluster)
    await cluster.stop()
