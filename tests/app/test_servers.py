"""Several hosted servers on one PostgreSQL in one process: any of them answers anything."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest

from mainspring.app.hosted import Hosted, hosted
from mainspring.app.stores import Location, locate, migrate
from mainspring.model.key import new_key
from mainspring.model.run import Run, Status, TriggerOptions, TriggerRequest
from mainspring.model.task import TaskSpec, default_queue
from mainspring.sdk.http import HttpTransport
from mainspring.settings import ServerSettings
from mainspring.wire import calls
from mainspring.wire.worker import PROTOCOL, Execute, Finished, Hello, ToWorker
from mainspring.worker.websocket import WebSocketLink

KEY = new_key("dev", random.Random(7))
WORK = TaskSpec("work", default_queue("work"))
SETTINGS = ServerSettings(port=0, access_log=False)


class Crew:
    """Servers of one database."""

    def __init__(self, place: Location) -> None:
        self.place = place
        self.servers: list[Hosted] = []
        self._stacks: dict[str, AsyncExitStack] = {}

    async def join(self) -> Hosted:
        stack = AsyncExitStack()
        server = await stack.enter_async_context(hosted(self.place, SETTINGS, key=KEY))
        self._stacks[server.url] = stack
        self.servers.append(server)
        return server

    async def leave(self, server: Hosted) -> None:
        self.servers.remove(server)
        await self._stacks.pop(server.url).aclose()

    def owner(self) -> Hosted:
        return next(server for server in self.servers if server.engine.owners)

    def other(self) -> Hosted:
        return next(server for server in self.servers if not server.engine.owners)

    async def close(self) -> None:
        for server in list(self.servers):
            await self.leave(server)


@asynccontextmanager
async def client_of(server: Hosted) -> AsyncIterator[HttpTransport]:
    client = HttpTransport(server.url, KEY)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def crew(fresh_postgres_url: str) -> AsyncIterator[Crew]:
    place = locate(fresh_postgres_url)
    await migrate(place)
    crew = Crew(place)
    await crew.join()
    await crew.join()
    try:
        yield crew
    finally:
        await crew.close()


class Body:
    """A worker over a real socket, which ends every run at once."""

    def __init__(self, server: Hosted) -> None:
        self.ran: list[str] = []
        self.hellos = 0
        self.link = WebSocketLink(server.url, KEY, self._hello)

    def _hello(self) -> Hello:
        self.hellos += 1
        return Hello(PROTOCOL, "session_1", 10, "", [WORK], [])

    def _take(self, orders: list[ToWorker]) -> None:
        for order in orders:
            if isinstance(order, Execute):
                self.ran.append(order.run_id)
                self.link.send([Finished(order.run_id, order.epoch, "completed", output="7")])

    async def start(self) -> None:
        await self.link.start(self._take)


@asynccontextmanager
async def body_at(server: Hosted) -> AsyncIterator[Body]:
    body = Body(server)
    await body.start()
    try:
        async with client_of(server) as client:
            while not await tasks_of(client):  # noqa: ASYNC110 - no event crosses the socket
                await asyncio.sleep(0.02)
        yield body
    finally:
        await body.link.close()


async def tasks_of(client: HttpTransport) -> list[calls.Task]:
    answer = await client.call(calls.ListTasks())
    assert isinstance(answer, calls.TaskList)
    return answer.tasks


async def ended(client: HttpTransport, run_id: str) -> Run:
    run = await client.call(calls.AwaitRun(run_id, 10_000))
    assert isinstance(run, Run)
    return run


async def made(client: HttpTransport, **options: object) -> str:
    request = TriggerRequest("work", "1", TriggerOptions(**options))  # type: ignore[arg-type]
    answer = await client.call(calls.Trigger([request]))
    assert isinstance(answer, calls.Triggered)
    return answer.answers[0].run_id


async def test_every_server_is_ready(crew: Crew) -> None:
    async with httpx2.AsyncClient() as client:
        for server in crew.servers:
            assert (await client.get(f"{server.url}/readyz")).status_code == 200


async def test_a_run_is_made_and_awaited_on_a_server_that_does_not_own_it(crew: Crew) -> None:
    async with body_at(crew.owner()) as body, client_of(crew.other()) as client:
        run_id = await made(client)
        run = await ended(client, run_id)
        assert (run.status, run.output) == (Status.COMPLETED, "7")
        assert body.ran == [run_id]


async def test_a_worker_comes_in_by_any_server(crew: Crew) -> None:
    async with body_at(crew.other()) as body, client_of(crew.owner()) as client:
        run_id = await made(client)
        assert (await ended(client, run_id)).status is Status.COMPLETED
        assert body.ran == [run_id]


async def test_errors_of_the_owner_are_told(crew: Crew) -> None:
    async with client_of(crew.other()) as client:
        with pytest.raises(Exception, match="No task 'nothing'"):
            await client.call(calls.Trigger([TriggerRequest("nothing", "1", TriggerOptions())]))


async def test_a_planned_stop_of_the_owner_refuses_nothing(crew: Crew) -> None:
    owner, other = crew.owner(), crew.other()
    async with body_at(other) as body, client_of(other) as client:
        runs: list[str] = []
        stop = asyncio.Event()

        async def load() -> None:
            while not stop.is_set():
                runs.append(await made(client))

        loading = [asyncio.create_task(load()) for _ in range(4)]
        await asyncio.sleep(0.3)
        await crew.leave(owner)
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.gather(*loading)
        for run_id in runs:
            assert (await ended(client, run_id)).status is Status.COMPLETED
        assert other.engine.owners
        assert sorted(body.ran) == sorted(runs)
        assert body.hellos >= 2


async def test_a_run_is_followed_on_a_server_that_does_not_own_it(crew: Crew) -> None:
    other = crew.other()
    async with body_at(crew.owner()), client_of(other) as client:
        run_id = await made(client, delay_ms=1_000)
        headers = {"authorization": f"Bearer {KEY}", "accept": "text/event-stream"}
        seen = b""
        async with (
            httpx2.AsyncClient(headers=headers, timeout=10) as http,
            http.stream("GET", f"{other.url}/api/v1/runs/{run_id}/events") as events,
        ):
            assert events.status_code == 200
            async for data in events.aiter_bytes():
                seen += data
                if b"COMPLETED" in seen:
                    break
    assert b"DELAYED" in seen


async def test_who_does_not_know_the_secret_is_turned_away(crew: Crew) -> None:
    members = crew.owner().engine.shares.members
    host, _, port = members.address(crew.owner().engine.server_id).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await reader.readexactly(32)
    writer.write(bytes(64))
    assert await reader.read() == b""
    writer.close()
