"""Subscribers whose connections break all the time miss nothing, and see nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from mainspring import Client, logger, runs, task
from mainspring.app import keys
from mainspring.app.embedded import Embedded
from mainspring.app.peppers import pepper_of
from mainspring.app.stores import locate
from mainspring.model.run import Run, Status
from mainspring.sdk.http import HttpTransport
from mainspring.sdk.registry import registry
from mainspring.server.app import build
from mainspring.server.serve import Listener
from mainspring.settings import ServerSettings
from tests.system.proxy import Proxy, proxy

KEY = "tr_dev_sk_" + "k" * 24

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def at_once(seconds: float) -> None:
    """Stands in for the pause before another attempt."""


class Place:
    """A server with a worker in this process, and a way to it that can be broken."""

    def __init__(self, port: int, way: Proxy) -> None:
        self.way = way
        self.direct = Client(f"http://127.0.0.1:{port}", KEY)
        url = f"http://127.0.0.1:{way.port}"
        self.broken = Client(transport=HttpTransport(url, KEY, sleep=at_once))


@pytest.fixture
async def place(database: str) -> AsyncIterator[Place]:
    with registry.isolated():

        @task
        async def work(n: int) -> int:
            for line in range(20):
                logger.info(f"line {line}")
                await asyncio.sleep(0)
            return n

        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(Embedded(database, slots=10, capture=True))
            pepper = await pepper_of(locate(database), "p" * 32, here.store.access)
            await keys.admit(here.engine, pepper, KEY)
            settings = ServerSettings(port=0, access_log=False, drain_s=1)
            listener = Listener(build(here.engine, settings, pepper=pepper), settings)
            stack.push_async_callback(listener.stop)
            await listener.start()
            way = await stack.enter_async_context(proxy(listener.port))
            found = Place(listener.port, way)
            stack.push_async_callback(found.direct.close)
            stack.push_async_callback(found.broken.close)
            yield found


async def test_each_last_state_arrives_once_and_in_order_over_broken_connections(
    place: Place,
) -> None:
    seen: list[Run] = []

    async def follow() -> None:
        ended = set()
        async for run in place.broken.runs.subscribe_tag("many"):
            seen.append(run)
            ended |= {run.id} if run.status.is_final else set()
            if len(ended) == 60:
                return

    following = asyncio.create_task(follow())
    for n in range(20):
        await place.direct.tasks.batch_trigger("work", [{"n": n}] * 3, tags=["many"])
        place.way.drop()
    async with asyncio.timeout(90):
        await following
    places = [(run.change, run.id) for run in seen]
    assert places == sorted(set(places))
    stored = [run async for run in place.direct.runs.list(tag="many")]
    last = {run.id: run.status for run in seen}
    assert last == {run.id: Status.COMPLETED for run in stored}


async def test_lines_arrive_once_and_in_order_over_broken_connections(place: Place) -> None:
    handle = await place.direct.tasks.trigger("work", {"n": 1})
    lines: list[str] = []
    async for line in place.broken.runs.logs(handle.id, follow=True):
        lines.append(line.message)
        place.way.drop()
    assert lines == [f"line {n}" for n in range(20)]


async def test_a_run_is_followed_to_its_output(place: Place) -> None:
    handle = await place.direct.tasks.trigger("work", {"n": 7})
    seen = [run async for run in place.direct.runs.subscribe(handle.id)]
    assert seen[-1].output == "7"
    assert [run.change for run in seen] == sorted({run.change for run in seen})


async def test_in_one_process_the_same_verbs_need_no_server() -> None:
    with registry.isolated():

        @task
        async def work(n: int) -> int:
            logger.info("here")
            return n

        async with Embedded(capture=True):
            handle = await work.with_options(tags=["x"]).trigger(3)
            states = [run.status async for run in handle.subscribe()]
            assert states[-1] is Status.COMPLETED
            async for run in runs.subscribe_tag("x"):
                assert run.output == "3"
                break
            lines = [line.message async for line in runs.logs(handle.id, follow=True)]
            assert lines == ["here"]
