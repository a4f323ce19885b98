"""Who may not ask any more is not answered any further: streams, sockets, long polls, links."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from mainspring.server.app import ROUTES, Application
from mainspring.server.auth import KEPT_S
from mainspring.server.keybook import KeyBook
from mainspring.server.leases import POLICY
from mainspring.server.peoplebook import PeopleBook
from mainspring.server.realtime.socket import PATH
from mainspring.wire.beats import LINK
from tests.server.clients import plain
from tests.server.conftest import KEY, PEPPER
from tests.server.test_realtime_shapes import Serve, server
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "server", "whole"]

SECOND_S = 1000


class Follower:
    """A caller with a token, a key or a personal token, and what it follows."""

    def __init__(self, app: Application, url: str, text: str) -> None:
        self.app = app
        self.url = url
        self.headers = {"authorization": f"Bearer {text}"}

    async def follow(self, path: str, **headers: str) -> asyncio.Task[Any]:
        """Begin to follow; returns once that is under way. The result is a status, or an error."""
        watching = self.app.realtime.watching
        client = plain(self.url, self.headers | headers, timeout=30)

        async def read() -> Any:
            async with client, client.stream("GET", path) as response:
                begun.set()
                try:
                    await response.aread()
                except httpx2.TransportError:
                    return "cut off"
                return response.status_code

        begun = asyncio.Event()
        task = asyncio.create_task(read())
        while not begun.is_set() and self.app.realtime.watching == watching:
            await asyncio.wait([task], timeout=0.01)
        return task

    async def socket(self, path: str) -> ClientConnection:
        url = self.url.replace("http", "ws") + path
        return await connect(url, additional_headers=self.headers, proxy=None)


async def token(whole: Whole, *scopes: str, life_s: int = 60) -> str:
    now_s = whole.house.clock.now() // 1000
    body = {"scopes": list(scopes), "expirationTime": now_s + life_s}
    return str((await whole.post("/api/v1/auth/public-tokens", body))["token"])


async def pass_time(whole: Whole, app: Application, seconds: float) -> None:
    whole.house.clock.advance(round(seconds * SECOND_S))
    await app.look()


Ending = Callable[[Whole], Awaitable[None]]


async def expire(whole: Whole) -> None:
    whole.house.clock.advance(61 * SECOND_S)


async def revoke(whole: Whole) -> None:
    access, now = whole.house.engine.access, whole.house.clock.now()
    [key] = await access.keys(whole.house.env.env_id)
    await KeyBook(access, PEPPER, now, "test").revoke(whole.house.env, key.key_id)


async def rotate(whole: Whole) -> None:
    access, now = whole.house.engine.access, whole.house.clock.now()
    await KeyBook(access, PEPPER, now, "test").rotate_signing(whole.house.env, 0)


@pytest.mark.parametrize("end", [expire, revoke, rotate])
async def test_a_token_that_ends_takes_its_streams_with_it(
    whole: Whole, server: Serve, end: Ending
) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger(tags=["a"])
    app, client, _ = await server()
    follower = Follower(app, str(client.base_url), await token(whole, f"read:runs:{run_id}"))
    events = await follower.follow(f"/api/v1/runs/{run_id}/events", accept="text/event-stream")
    stream = await follower.follow(f"/realtime/v1/streams/{run_id}/out")
    shape = f"/realtime/v1/runs/{run_id}"
    first = (await client.get(shape)).headers
    place = f"offset={first['electric-offset']}&handle={first['electric-handle']}"
    poll = await follower.follow(f"{shape}?{place}&live=true")
    socket = await follower.socket(PATH)
    await app.look()
    assert [task.done() and task.result() for task in (events, poll, stream)] == [False] * 3
    await end(whole)
    await pass_time(whole, app, KEPT_S)
    async with asyncio.timeout(10):
        assert await events == "cut off"
        assert await stream == "cut off"
        assert await poll == 401
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == POLICY
    assert app.realtime.watching == 0


async def test_a_key_that_is_revoked_takes_its_workers_with_it(whole: Whole, server: Serve) -> None:
    app, client, _ = await server()
    socket = await Follower(app, str(client.base_url), KEY).socket(LINK)
    await app.look()
    await revoke(whole)
    await pass_time(whole, app, KEPT_S)
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_a_person_whose_role_is_taken_away_is_told_no_more(
    whole: Whole, server: Serve
) -> None:
    people = PeopleBook(whole.house.engine.access, PEPPER, whole.house.clock.now(), "test")
    text = await people.add("ann", "viewer", whole.house.env)
    app, client, _ = await server()
    socket = await Follower(app, str(client.base_url), text).socket(PATH)
    await people.give("ann", "operator", whole.house.env)
    await people.give("ann", "", whole.house.env)
    await pass_time(whole, app, KEPT_S)
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_nobody_is_cut_off_because_the_database_is_away(whole: Whole, server: Serve) -> None:
    app, client, _ = await server()
    socket = await Follower(app, str(client.base_url), KEY).socket(PATH)
    await whole.house.store.inner.close()
    await pass_time(whole, app, KEPT_S)
    await socket.send('{"op":"subscribe","id":"a","topic":"tags"}')
    assert "error" in str(await socket.recv())
    await whole.house.store.inner.open()
    await socket.close()


def test_what_is_answered_for_long_is_known() -> None:
    long = {route.path for route in ROUTES if route.path.startswith("/realtime/")}
    lasting = {route.path for route in ROUTES if route.lasts}
    assert lasting >= {
        path for path in long if "/input/{stream}" not in path and not path.endswith("/append")
        and "sessions" not in path
    }  # fmt: skip
    assert "/api/v1/runs/{run}/events" in lasting
