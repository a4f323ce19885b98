"""Code that keeps the event loop from turning is shown to whoever reads the log of its run."""

import asyncio
import threading
from typing import Any

import pytest

from mainspring.clock import SystemClock
from mainspring.sdk.decorate import task
from mainspring.worker.capture import Capture
from mainspring.worker.session import Session
from mainspring.worker.watchdog import Watchdog, report
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute

LIMIT_S = 0.05


class Dog:
    """A watchdog of this test's loop that notes what it barks at, and lets blocked code go on."""

    def __init__(self) -> None:
        self.session: Session
        self.capture = Capture(SystemClock())
        self.stacks: list[str] = []
        self.barked = threading.Semaphore(0)
        self.watchdog = Watchdog(self.bark, LIMIT_S)

    async def watch(self, worker: Worker) -> None:
        """Start a session with the tasks that are declared, and watch."""
        self.session = await worker(capture=self.capture)
        self.watchdog.start()

    def bark(self, blocking: asyncio.Task[Any] | None, stack: str) -> None:
        self.stacks.append(stack)
        report(self.session.runner.slots, self.capture, blocking, stack)
        self.barked.release()

    def block(self) -> None:
        """Keep the loop from turning until that is noticed."""
        assert self.barked.acquire(timeout=90)


@pytest.fixture
async def dog() -> Any:
    made = Dog()
    yield made
    made.watchdog.stop()


async def test_a_run_that_blocks_the_loop_is_told_where(
    engine: Engine, worker: Worker, dog: Dog
) -> None:
    def deep_inside() -> None:
        dog.block()

    @task(id="blocks")
    async def blocks() -> None:
        await asyncio.sleep(0)
        deep_inside()

    await dog.watch(worker)
    engine.order(execute("blocks"))
    await engine.until(lambda: engine.ended)

    (line,) = engine.lines
    assert (line.run_id, line.level) == ("run_1", "warning")
    assert "keeps the event loop from turning" in line.message
    assert "isolation='process'" in line.message
    assert "deep_inside()" in line.message
    assert dog.stacks[0].lstrip().startswith(f'File "{__file__}"')


async def test_a_branch_of_a_run_blocks_in_its_name(
    engine: Engine, worker: Worker, dog: Dog
) -> None:
    @task(id="blocks")
    async def blocks() -> None:
        async def branch() -> None:
            dog.block()

        await asyncio.gather(branch(), asyncio.sleep(0))

    await dog.watch(worker)
    engine.order(execute("blocks"))
    await engine.until(lambda: engine.ended)

    assert [line.run_id for line in engine.lines] == ["run_1"]


async def test_each_blocking_is_told_once(engine: Engine, worker: Worker, dog: Dog) -> None:
    @task(id="blocks")
    async def blocks() -> None:
        for _ in range(2):
            dog.block()
            # much longer than until it would be noticed again
            assert not dog.barked.acquire(timeout=4 * LIMIT_S)
            await asyncio.sleep(2 * LIMIT_S)

    await dog.watch(worker)
    engine.order(execute("blocks"))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].outcome == "completed"
    assert len(engine.lines) == len(dog.stacks) == 2


async def test_a_plain_function_may_block(engine: Engine, worker: Worker, dog: Dog) -> None:
    release = threading.Event()

    @task(id="plain")
    def plain() -> None:
        assert release.wait(20)

    await dog.watch(worker)
    engine.order(execute("plain"))
    await engine.until(lambda: engine.started)
    await asyncio.sleep(4 * LIMIT_S)
    release.set()
    await engine.until(lambda: engine.ended)

    assert dog.stacks == []


async def test_blocking_by_nobodys_code_is_said_in_the_log_of_the_worker(
    engine: Engine, worker: Worker, dog: Dog, caplog: pytest.LogCaptureFixture
) -> None:
    await dog.watch(worker)
    asyncio.get_running_loop().call_soon(dog.block)
    await asyncio.sleep(0)

    assert "no run's code does that" in caplog.text
    assert engine.lines == []
