"""Runs that are far longer than the processes that execute them, and than their code."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mainspring import step, task, wait
from mainspring.model.run import Run, Status, TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.sdk.registry import registry
from mainspring.testing.jobs import Jobs
from mainspring.wire import calls
from tests.system.cluster import Cluster
from tests.system.watching import ended, registered, until

TASKS = Path(__file__).with_name("long_tasks.py")
DATABASES = ["sqlite", "postgres"] if os.environ.get("MAINSPRING_CHAOS") == "full" else ["postgres"]
"""Workers do not know which it is. `test_crash_matrix` and `test_durable` kill them on both."""
PAUSE_S = 0.3
ADDED = 1_000_000
KILLS = ("waits", "waits", "works", "waits", "works") * 4
"""When the process is killed: 20 times. Losses while the code of a run works have a limit of 10."""


@pytest.fixture
def cluster(cluster: Cluster) -> Cluster:
    cluster.start_server()
    return cluster


async def retrieve(client: HttpTransport, run_id: str) -> Run:
    run = await client.call(calls.Retrieve(run_id))
    assert isinstance(run, Run)
    assert not run.status.is_final, (run.status, run.error)
    return run


async def kill(cluster: Cluster, client: HttpTransport, run_id: str, when: str) -> None:
    """Kill the process that has the run, while it waits, or just when it has done something."""
    known = len(cluster.told())
    while True:
        run = await retrieve(client, run_id)
        lines = [line for line in cluster.told()[known:] if line["run"] == run_id]
        if lines and (when == "works" or run.status is Status.WAITING):
            cluster.kill(lines[-1]["worker"])
            return
        await asyncio.sleep(0.01)


async def deploy(cluster: Cluster) -> None:
    """Start a worker with edited code, and stop the one that was there before in order."""
    (old,) = cluster.workers
    code = cluster.folder / "tasks.py"
    before = code.read_text()
    after = before.replace("# a later version adds: total", "total")
    assert after.count(f"{ADDED:_}") == before.count(f"{ADDED:_}") == 2
    code.write_text(after)
    new = cluster.start_worker(processes=2)
    await until(lambda: len(cluster.children(new)) == 2)
    old.send_signal(signal.SIGTERM)
    await asyncio.to_thread(old.wait)
    cluster.workers.remove(old)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("database", DATABASES, indirect=True)
async def test_a_run_outlives_twenty_processes_and_its_own_code(
    cluster: Cluster, client: HttpTransport
) -> None:
    cluster.start_worker(processes=4)
    await registered(cluster)
    payload = msgspec.json.encode({"pause": PAUSE_S}).decode()
    asked = [TriggerRequest(name, payload) for name in ("long", "long_plain")]
    answer = await client.call(calls.Trigger(asked))
    assert isinstance(answer, calls.Triggered)
    runs = [one.run_id for one in answer.answers]
    for number, when in enumerate(KILLS):
        await kill(cluster, client, runs[number % 2], when)
    await deploy(cluster)
    (cluster.root / "enough").touch()
    ends = [await ended(client, run_id) for run_id in runs]

    steps = 0
    for run in ends:
        assert (run.status, run.attempt) == (Status.COMPLETED, 1), run.error
        rounds, total = msgspec.json.decode(run.output or "")
        assert total == sum(range(rounds)) + sum(n * n for n in range(0, rounds, 3)) + ADDED
        steps += rounds + 1
    passed: dict[tuple[str, int], str] = {}
    for line in cluster.told():
        if line["event"] == "did":
            assert (line["run"], line["number"]) not in passed, line
        elif line["event"] == "passed":
            assert passed.setdefault((line["run"], line["number"]), line["word"]) == line["word"]
    assert len(passed) == steps
    await cluster.stop()


did: list[int] = []


def note(day: int) -> int:
    did.append(day)
    return day


@task(id="weekly")
async def report(week: int) -> int:
    await wait.for_("1h")
    return week


@task(id="a-year")
async def year(days: int) -> int:
    weeks = 0
    for day in range(days):
        await step("note", note, day)
        await wait.for_("1d")
        if day % 7 == 6:
            weeks += (await report.trigger_and_wait(day // 7)) == day // 7
    return weeks


@pytest.fixture
def declared() -> Iterator[None]:
    did.clear()
    with registry.isolated():
        registry.add_task(report)
        registry.add_task(year)
        yield


async def test_a_run_of_a_year_outlives_a_worker_every_two_weeks(
    declared: None, jobs: Jobs
) -> None:
    handle = await year.trigger(365)
    for _ in range(26):
        await jobs.advance(days=14)
        await jobs.crash_and_resume()
    await jobs.advance(days=10)

    assert await handle.result() == 52
    assert did == list(range(365))
