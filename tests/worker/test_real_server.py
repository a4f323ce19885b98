"""Worker processes at a real server, on both databases."""

import asyncio
import base64
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from mainspring.app.hosted import Hosted, hosted
from mainspring.app.stores import locate, migrate
from mainspring.errors import StoreUnavailable
from mainspring.model.key import new_key
from mainspring.model.run import Run, Status, TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.settings import ServerSettings
from mainspring.wire import calls
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import News, Supervisor

pytestmark = pytest.mark.slow

TASKS = """
import asyncio, os, pathlib
from mainspring.sdk.context import Context
from mainspring.sdk.decorate import task
from mainspring.sdk.limits import Queue
from mainspring.sdk.logger import logger

@task
async def work(number: int) -> int:
    await asyncio.sleep(0.02)
    return number * number

@task
def block(number: int) -> int:
    import time
    time.sleep(0.02)
    return number * number

@task
async def wait_for(path: str) -> int:
    while not pathlib.Path(path).exists():
        await asyncio.sleep(0.01)
    return os.getpid()

@task
async def family(size: int) -> int:
    handles = await work.batch_trigger([work.call(n) for n in range(size)])
    return sum([await handle.result() for handle in handles])

narrow = Queue("narrow", concurrency_limit=1)

@task(queue=narrow)
async def nested(depth: int) -> int:
    if not depth:
        return 1
    handle = await nested.trigger(depth - 1)
    return 1 + await handle.result()

@task(queue=narrow)
def nested_plainly(depth: int) -> int:
    if not depth:
        return 1
    return 1 + nested_plainly.trigger_sync(depth - 1).result_sync()

@task(queue=narrow, isolation="process")
async def nested_apart(depth: int) -> int:
    if not depth:
        return 1
    handle = await nested_apart.trigger(depth - 1)
    return 1 + await handle.result()

@task
async def ask(path: str) -> int:
    handles = await wait_for.batch_trigger([wait_for.call(path), wait_for.call(path)])
    return len(await asyncio.gather(*(handle.result() for handle in handles)))

@task
async def until_canceled(path: str) -> None:
    try:
        logger.info("begun", path=path)
        await asyncio.Event().wait()
    finally:
        pathlib.Path(path).touch()
"""


SEALING = base64.b64encode(bytes(range(32))).decode()


class House:
    """A server on one of the databases, two worker processes, and a client."""

    def __init__(self, root: Path, database: str) -> None:
        (root / "jobs.py").write_text(TASKS)
        self.root = root
        self.key = new_key("dev", random.Random(str(root)))
        self.server: Hosted
        self.supervisor: Supervisor
        self.client: HttpTransport
        self._place = locate(database)
        self.collector = ""
        self._port = 0
        self._stack = contextlib.AsyncExitStack()
        self._changed = asyncio.Event()
        self.news: list[News] = []

    async def open_server(self) -> None:
        settings = ServerSettings(
            port=self._port,
            access_log=False,
            drain_s=0.1,
            encryption_keys=(SEALING,),
            otlp_endpoint=self.collector,
        )
        self.server = await self._stack.enter_async_context(
            hosted(self._place, settings, key=self.key)
        )
        self._port = int(self.server.url.rpartition(":")[2])

    async def close_server(self) -> None:
        await self._stack.aclose()

    async def start(self) -> None:
        await self.open_server()
        self.client = HttpTransport(self.server.url, self.key)
        config = ChildConfig(self.server.url, self.key, root=str(self.root), drain_s=5)
        self.supervisor = Supervisor(config, 2, self._tell)
        await self.supervisor.start()
        await self.until(lambda: self.count("connected") == 2)

    async def stop(self) -> None:
        self.supervisor.kill()
        await self.supervisor.wait()
        await self.client.close()
        await self.close_server()

    def _tell(self, news: News) -> None:
        self.news.append(news)
        self._changed.set()

    def count(self, kind: str) -> int:
        return sum(news.kind == kind for news in self.news)

    async def until(self, met: object) -> None:
        assert callable(met)
        async with asyncio.timeout(90):
            while not met():
                self._changed.clear()
                await self._changed.wait()

    async def trigger(self, task: str, *payloads: str) -> list[str]:
        asked = calls.Trigger([TriggerRequest(task, payload) for payload in payloads])
        answer = await self.client.call(asked)
        assert isinstance(answer, calls.Triggered)
        return [each.run_id for each in answer.answers]

    async def ended(self, run_id: str) -> Run:
        while True:
            try:
                run = await self.client.call(calls.AwaitRun(run_id, 10_000))
            except StoreUnavailable:
                continue
            assert isinstance(run, Run)
            if run.status.is_final:
                return run

    async def executing(self, run_id: str) -> None:
        await self.until_it_is(run_id, Status.EXECUTING)

    async def until_it_is(self, run_id: str, status: Status) -> None:
        run: object = None
        while not isinstance(run, Run) or run.status is not status:
            run = await self.client.call(calls.Retrieve(run_id))


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "state.db")
        return
    url: str = request.getfixturevalue("postgres_url")
    asyncio.run(emptied(url))
    asyncio.run(migrate(locate(url)))
    yield url
    asyncio.run(emptied(url))


async def emptied(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    await connection.close()


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path, database)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@pytest.mark.timeout(60)
async def test_runs_outlive_the_processes_that_execute_them(house: House) -> None:
    numbers = range(300)
    payloads = [f'{{"number": {n}}}' for n in numbers]
    ids = await house.trigger("work", *payloads) + await house.trigger("block", *payloads)
    chance = random.Random(7)
    for kills in range(5):
        await house.until(lambda n=kills: house.count("connected") == 2 + n)
        os.kill(chance.choice(house.supervisor.pids), signal.SIGKILL)
        await house.until(lambda n=kills: house.count("died") == 1 + n)
    runs = [await house.ended(run_id) for run_id in ids]

    assert {run.status for run in runs} == {Status.COMPLETED}
    assert [int(run.output or 0) for run in runs] == [n * n for n in numbers] * 2
    assert {run.attempt for run in runs} == {1}


async def test_a_running_body_outlives_its_server(house: House) -> None:
    flag = house.root / "flag"
    (run_id,) = await house.trigger("wait_for", f'{{"path": "{flag}"}}')
    await house.executing(run_id)
    pids = house.supervisor.pids
    await house.close_server()
    await house.open_server()
    flag.touch()
    run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert int(run.output or 0) in pids
    assert house.supervisor.pids == pids


async def test_a_run_awaits_runs_that_other_processes_execute(house: House) -> None:
    (run_id,) = await house.trigger("family", '{"size": 120}')
    run = await house.ended(run_id)

    assert run.output == str(sum(n * n for n in range(120)))


async def test_runs_that_await_each_other_get_along_with_one_slot(house: House) -> None:
    names = ["nested", "nested_plainly", "nested_apart"]
    ids = [(await house.trigger(name, '{"depth": 2}'))[0] for name in names]
    runs = [await house.ended(run_id) for run_id in ids]

    assert [(run.output, run.attempt) for run in runs] == [("3", 1)] * 3


async def test_a_run_that_awaits_others_outlives_every_process(house: House) -> None:
    flag = house.root / "flag"
    (run_id,) = await house.trigger("ask", f'{{"path": "{flag}"}}')
    await house.until_it_is(run_id, Status.WAITING)
    for pid in house.supervisor.pids:
        os.kill(pid, signal.SIGKILL)
    await house.until(lambda: house.count("died") == 2)
    flag.touch()
    run = await house.ended(run_id)

    assert (run.status, run.output, run.attempt) == (Status.COMPLETED, "2", 1)


async def test_a_cancel_reaches_the_body_and_its_lines_the_log(house: House) -> None:
    flag = house.root / "canceled"
    (run_id,) = await house.trigger("until_canceled", f'{{"path": "{flag}"}}')
    await house.executing(run_id)
    await house.client.call(calls.CancelRun(run_id))
    run = await house.ended(run_id)

    assert run.status is Status.CANCELED
    assert flag.exists()
    page = calls.LogPage([])
    while not page.lines:
        answer = await house.client.call(calls.ListLogs(run_id))
        assert isinstance(answer, calls.LogPage)
        page = answer
    assert [(line.level, line.message) for line in page.lines] == [("info", "begun")]
