"""Processes of runs at a real server: what a run keeps over the processes it has."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.model.run import Status
from mainspring.sdk.http import HttpTransport
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import Supervisor
from tests.worker.test_real_server import House

pytestmark = pytest.mark.slow

TASKS = """
import asyncio, os, pathlib, signal
from mainspring import Machine, Retry, current, metadata, step, sync, task, wait

@task(isolation="process", machine=Machine(memory="32mb"),
      retry=Retry(max_attempts=2, min_delay=0, on_out_of_memory="micro"))
def hog() -> list[int]:
    kept = bytearray(b"x" * 80 * 1024 * 1024)
    return [len(kept) // 1024 // 1024, current().attempt]

@task
async def poison() -> None:
    await asyncio.sleep(0.05)
    os.kill(os.getpid(), signal.SIGSEGV)

@task
async def neighbour(path: str) -> int:
    while not pathlib.Path(path).exists():
        await asyncio.sleep(0.01)
    return current().attempt

@task
async def child(number: int) -> int:
    return number * 2

@task(isolation="process")
async def parent() -> list[int]:
    first = await step("first", os.getpid)
    metadata.set("said", "once")
    await wait.for_("1s")
    twice = await child.trigger_and_wait(21)
    return [first, os.getpid(), twice]

@task(isolation="process")
def plain_parent() -> list[int]:
    first = sync.step("first", os.getpid)
    sync.wait.for_("1s")
    twice = child.trigger_and_wait_sync(21)
    return [first, os.getpid(), twice]
"""


class Isolating(House):
    """The same with one worker, whose tasks ask for processes."""

    def __init__(self, root: Path, warm_s: float) -> None:
        super().__init__(root, str(root / "state.db"))
        (root / "jobs.py").write_text(TASKS)
        self._warm_s = warm_s

    async def start(self) -> None:
        await self.open_server()
        self.client = HttpTransport(self.server.url, self.key)
        config = ChildConfig(
            self.server.url, self.key, root=str(self.root), drain_s=5, warm_s=self._warm_s
        )
        self.supervisor = Supervisor(config, 1, self._tell)
        await self.supervisor.start()
        await self.until(lambda: self.count("connected") == 1)


@pytest.fixture(params=[30.0, 0.0], ids=["warm", "cold"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Isolating]:
    made = Isolating(tmp_path, request.param)
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize("name", ["parent", "plain_parent"])
async def test_a_run_goes_on_in_its_process_or_from_its_journal_in_another(
    house: Isolating, name: str, request: pytest.FixtureRequest
) -> None:
    (run_id,) = await house.trigger(name, "{}")
    run = await house.ended(run_id)

    assert run.status is Status.COMPLETED, run.error
    first, last, twice = json.loads(run.output or "")
    assert twice == 42
    assert (first == last) is ("warm" in request.node.name)
    assert run.attempt == 1


@pytest.mark.parametrize("house", [10.0], indirect=True, ids=[""])
async def test_a_run_out_of_memory_gets_a_larger_machine(house: Isolating) -> None:
    (run_id,) = await house.trigger("hog", "{}")
    run = await house.ended(run_id)

    assert run.status is Status.COMPLETED, run.error
    assert json.loads(run.output or "") == [80, 2]


@pytest.mark.parametrize("house", [10.0], indirect=True, ids=[""])
async def test_a_run_that_ends_processes_ends_alone(house: Isolating) -> None:
    flag = house.root / "flag"
    beside = await house.trigger("neighbour", *[f'{{"path": "{flag}"}}'] * 3)
    for run_id in beside:
        await house.executing(run_id)
    (guilty,) = await house.trigger("poison", "{}")
    run = await house.ended(guilty)
    flag.touch()

    assert run.error is not None
    assert (run.status, run.error.code, run.attempt) == (Status.CRASHED, "poison_run", 1)
    assert [(await house.ended(run_id)).output for run_id in beside] == ["1"] * 3
    assert house.count("died") == 1  # and three processes of the guilty one alone
