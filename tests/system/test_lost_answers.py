"""A network that fails at any byte of a request or its answer doubles no run and loses none."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from mainspring import Client, ServerUnreachable
from mainspring.app.hosted import hosted
from mainspring.app.stores import locate
from mainspring.model.task import TaskSpec, default_queue
from mainspring.sdk.http import HttpTransport
from mainspring.settings import ServerSettings
from mainspring.wire.worker import PROTOCOL, Hello
from tests.system.proxy import Cut, Proxy, proxy

KEY = "tr_dev_sk_" + "k" * 24
STEP = 41
"""Bytes between the points at which a connection is cut; a prime, so that points differ."""


async def at_once(seconds: float) -> None:
    """Stands in for the pause before another attempt."""


@pytest.fixture
async def way(database: str) -> AsyncIterator[Proxy]:
    async with AsyncExitStack() as stack:
        settings = ServerSettings(port=0, access_log=False)
        server = await stack.enter_async_context(hosted(locate(database), settings, key=KEY))
        env = await server.engine.environment("dev")
        specs = [TaskSpec("work", default_queue("work"))]
        hello = Hello(PROTOCOL, "session_1", 0, "", specs, [])
        server.engine.connect(env, hello, lambda orders: None)
        port = urlsplit(server.url).port
        assert port is not None
        yield await stack.enter_async_context(proxy(port))


def client_of(way: Proxy, **how: Any) -> Client:
    url = f"http://127.0.0.1:{way.port}"
    return Client(transport=HttpTransport(url, KEY, sleep=at_once, **how))


async def one(client: Client, tag: str, _: str) -> None:
    await client.tasks.trigger("work", {"n": 1}, tags=tag)


async def several(client: Client, tag: str, _: str) -> None:
    await client.tasks.batch([client.tasks.call("work", n, tags=tag) for n in range(3)])


async def again(client: Client, tag: str, old: str) -> None:
    await client.runs.replay(old)


async def made(way: Proxy, act: Any, tag: str, cut: Cut | None) -> int:
    """How many runs an act has made whose connection was cut."""
    async with client_of(way) as client:
        old = await client.tasks.trigger("work", tags=tag)
    async with client_of(way) as client:  # has no connection yet
        way.cut = cut
        await act(client, tag, old.id)
    return await count(way, tag) - 1


async def count(way: Proxy, tag: str) -> int:
    async with client_of(way) as client:
        return len([run async for run in client.runs.list(tag=tag)])


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("act, wanted", [(one, 1), (several, 3), (again, 1)])
async def test_a_connection_cut_at_any_byte_makes_each_run_once(
    way: Proxy, act: Any, wanted: int
) -> None:
    assert await made(way, act, "whole", None) == wanted
    cuts = [Cut(request=at) for at in range(0, 900, STEP)]
    cuts += [Cut(answer=at) for at in range(0, 500, STEP)]
    found = [await made(way, act, f"cut-{n}", cut) for n, cut in enumerate(cuts)]
    assert found == [wanted] * len(cuts)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_an_answer_that_does_not_come_in_time_is_asked_for_again(way: Proxy) -> None:
    way.cut = Cut(answer=0, silent=True)
    async with client_of(way, timeout=1, attempts=30) as client:
        await client.tasks.trigger("work", tags="late")
    assert await count(way, "late") == 1


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_when_no_attempt_gets_an_answer_the_caller_is_told_and_may_repeat(way: Proxy) -> None:
    async with client_of(way, attempts=1) as client:
        way.cut = Cut(answer=0)
        with pytest.raises(ServerUnreachable):
            await client.tasks.trigger("work", tags="told", idempotency_key="order-1")
        handle = await client.tasks.trigger("work", tags="told", idempotency_key="order-1")
    assert handle.cached
    assert await count(way, "told") == 1
