"""What a client manages on a real server, on both databases: each namespace from end to end."""

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx2
import pytest

from mainspring import Client, InvalidOptions, NotFound
from mainspring.app.hosted import hosted
from mainspring.app.stores import locate
from mainspring.errors import CallerError
from mainspring.model.run import Status
from mainspring.model.task import TaskSpec, default_queue
from mainspring.settings import ServerSettings
from mainspring.wire.worker import PROTOCOL, Hello

KEY = "tr_dev_sk_" + "k" * 24
SEALING = base64.b64encode(bytes(range(32))).decode()
WATCHERS = 150

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
async def url(database: str) -> AsyncIterator[str]:
    settings = ServerSettings(port=0, access_log=False, drain_s=1, encryption_keys=(SEALING,))
    async with hosted(locate(database), settings, key=KEY) as server:
        env = await server.engine.environment("dev")
        specs = [TaskSpec("work", default_queue("work"))]
        hello = Hello(PROTOCOL, "session_1", 0, "1", specs, [])
        server.engine.connect(env, hello, lambda orders: None, inside=True)
        yield server.url


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with Client(url, KEY) as client:
        yield client


async def test_schedules_are_made_changed_switched_and_removed(client: Client) -> None:
    made = await client.schedules.create(
        "work", "0 9 * * *", timezone="Europe/Berlin", deduplication_key="daily", external_id="x"
    )
    assert (made.active, made.timezone, made.external_id) == (True, "Europe/Berlin", "x")
    same = await client.schedules.create("work", "0 10 * * *", deduplication_key="daily")
    assert (same.id, same.cron) == (made.id, "0 10 * * *")
    assert [found.id async for found in client.schedules.list(page_size=1)] == [made.id]
    assert not (await client.schedules.deactivate(made.id)).active
    assert (await client.schedules.activate(made.id)).active
    assert (await client.schedules.update(made.id, "work", "1 1 * * *")).cron == "1 1 * * *"
    await client.schedules.delete(made.id)
    with pytest.raises(NotFound):
        await client.schedules.retrieve(made.id)


async def test_many_runs_are_canceled_by_filter_and_replayed_by_id(client: Client) -> None:
    handles = await client.tasks.batch_trigger("work", range(7), tags=["bulk"])
    other = await client.tasks.trigger("work")
    begun = await client.bulk.cancel(tag="bulk", name="clean up")
    bulk = await client.bulk.poll(begun.id, timeout=90)
    assert (bulk.status, bulk.success, bulk.name) == ("completed", 7, "clean up")
    ended = [run async for run in client.runs.list(status=Status.CANCELED)]
    assert {run.id for run in ended} == {handle.id for handle in handles}
    assert (await other.run()).status is Status.QUEUED
    again = await client.bulk.replay([handles[0].id])
    assert [found.id async for found in client.bulk.list(limit=5)] == [again.id, begun.id]
    await client.bulk.abort(again.id)
    with pytest.raises(InvalidOptions):
        await client.bulk.cancel()


async def test_variables_are_set_read_and_removed(client: Client) -> None:
    assert await client.env_vars.set({"COLOR": "red", "SIZE": "3"}) == 2
    assert await client.env_vars.set({"TOKEN": "hidden"}, secret=True) == 1
    shown = {found.name: found.value for found in await client.env_vars.list()}
    assert shown == {"COLOR": "red", "SIZE": "3", "TOKEN": "<redacted>"}
    await client.env_vars.delete("SIZE")
    with pytest.raises(NotFound, match="SIZE"):
        await client.env_vars.retrieve("SIZE")


async def test_one_client_has_room_for_many_subscribers(client: Client) -> None:
    handle = await client.tasks.trigger("work")
    walks = [client.runs.subscribe(handle.id) for _ in range(WATCHERS)]
    first = await asyncio.gather(*(anext(walk) for walk in walks))
    assert {run.status for run in first} == {Status.QUEUED}
    waiting = [asyncio.ensure_future(anext(walk)) for walk in walks]
    await asyncio.sleep(0)
    await client.runs.cancel(handle.id)  # gets through although so many wait
    async with asyncio.timeout(90):
        last = await asyncio.gather(*waiting)
    assert {run.status for run in last} == {Status.CANCELED}


async def test_public_tokens_may_do_what_their_scopes_say(client: Client, url: str) -> None:
    first, other = await client.tasks.trigger("work"), await client.tasks.trigger("work")
    token = await client.tokens.public(f"read:runs:{first.id}", expires="1h")
    async with httpx2.AsyncClient(base_url=url) as browser:
        browser.headers["authorization"] = f"Bearer {token}"
        found = [await browser.get(f"/api/v3/runs/{run}") for run in (first.id, other.id)]
    assert [answer.status_code for answer in found] == [200, 403]
    with pytest.raises(CallerError, match="30 days"):
        await client.tokens.public("read:runs", expires="60d")
