"""Two tenants in one shard: every route, with the other one's ids in path, query, body and header.

What is foreign is answered as what is unknown, word for word, and nothing of it is told or changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from websockets.asyncio.client import connect

from mainspring.server.app import ROUTES as TABLE
from mainspring.server.auth import ENVIRONMENT
from mainspring.server.openapi import NOT_BUILT
from mainspring.server.realtime.socket import PATH as SOCKET
from mainspring.wire.beats import LINK
from mainspring.wire.worker import PROTOCOL, Execute, Goodbye, Hello, decode_orders, encoder
from tests.server.asked import PEOPLE, ROUTES, Ask
from tests.server.tenants import Ids, Tenant, World, world_of

_MADE = re.compile(
    r"\b(run|batch|waitpoint|bulk|sched|queue|key|pending)_[0-9a-v]{20,}|/callback/[0-9a-f]{64}"
)
_KEY = re.compile(r'"lastFour":"\w+"|tr_\w+_sk_\w+')
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|[\w-]{8}-[0-9a-f]+|eyJ[\w.-]+|expires=\S+")


@pytest.fixture(params=["sqlite", "postgres"])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, kept_postgres: str
) -> AsyncIterator[World]:
    async with world_of(request.param, tmp_path, kept_postgres) as found:
        yield found


def test_every_route_is_asked_here() -> None:
    """A route that sees an environment and is missing here is one that nobody has attacked."""
    table = {
        f"{route.method} {route.path}"
        for route in TABLE
        if not route.open and route.status != NOT_BUILT
    }
    assert table == set(ROUTES)


async def send(client: httpx2.AsyncClient, method: str, ask: Ask) -> httpx2.Response:
    return await client.request(
        method, ask.path, json=ask.json, content=ask.content, headers=ask.headers,
        params=ask.params or None, timeout=10,
    )  # fmt: skip


def told(answer: httpx2.Response, ids: Ids) -> tuple[int, str]:
    """What an answer says, without what was named in the question and the time."""
    text = answer.text
    names = sorted(set(msgspec.structs.astuple(ids)), key=len, reverse=True)
    for name in names:
        text = text.replace(name, "…").replace(name[:80], "…")
    return answer.status_code, _STAMP.sub("@", _KEY.sub("#", _MADE.sub("#", text)))


def betrays(answer: httpx2.Response, theirs: Tenant, ask: Ask) -> list[str]:
    """What of the other tenant's is in an answer and was not in the question."""
    text = answer.text + str(answer.headers)
    asked = f"{ask.path} {ask.json} {ask.params} {ask.content!r}"
    found = [theirs.canary, *msgspec.structs.astuple(theirs.ids)]
    found = [name for name in found if name not in ("prod", "same key", "SAME_NAME", "out")]
    found = [name for name in found if name != theirs.ids.path]
    return [name for name in found if name in text and name not in asked]


def client_for(world: World, path: str) -> httpx2.AsyncClient:
    """Keys are managed by people; all else is asked with the key."""
    mine = world.mine
    if path.startswith(PEOPLE):
        return mine.client_of(world.person, **{ENVIRONMENT: "dev"})
    return mine.client_of(mine.key)


async def compare(world: World, callers: dict[str, httpx2.AsyncClient]) -> list[Any]:
    """Ask everything with foreign and with unknown names; returns what differs or is betrayed."""
    faults: list[Any] = []
    # reading comes first: what is asked to be changed or made makes things of the asker's own
    theirs, unknown = world.theirs, world.unknown()
    for name, of in sorted(ROUTES.items(), key=lambda item: not item[0].startswith("GET")):
        method, _, path = name.partition(" ")
        client = callers["people"] if path.startswith(PEOPLE) else callers["all"]
        for foreign, nobodys in zip(of(theirs.ids), of(unknown), strict=True):
            first = await send(client, method, foreign)
            second = await send(client, method, nobodys)
            alike = told(first, theirs.ids) == told(second, unknown)
            if not alike and not foreign.cursor:
                faults.append((name, foreign, told(first, theirs.ids), told(second, unknown)))
            found = betrays(first, theirs, foreign)
            if found:
                faults.append((name, foreign, "betrays", found))
            if first.status_code >= 500 and first.status_code != NOT_BUILT:
                faults.append((name, foreign, first.status_code, first.text))
    return faults


@pytest.mark.parametrize("caller", ["key", "token", "limited token"])
async def test_what_is_foreign_is_as_unknown_as_what_nobody_has(world: World, caller: str) -> None:
    before = await world.theirs.look()
    text = world.mine.key
    if caller != "key":
        scopes = ["admin"] if caller == "token" else [f"read:runs:{world.mine.ids.run}"]
        made = await world.mine.post("/api/v1/auth/public-tokens", {"scopes": scopes})
        text = made["token"]
    async with (
        world.mine.client_of(text) as client,
        world.mine.client_of(world.person, **{ENVIRONMENT: "dev"}) as person,
    ):
        faults = await compare(world, {"all": client, "people": person})
    assert not faults, "\n".join(str(fault)[:600] for fault in faults)
    await world.house.advance(1_000)
    assert await world.theirs.look() == before


async def test_a_person_reaches_no_environment_without_a_role_there(world: World) -> None:
    async with (
        world.mine.client_of(world.person, **{ENVIRONMENT: "prod"}) as there,
        world.mine.client_of(world.person, **{ENVIRONMENT: "stg"}) as nowhere,
    ):
        for name, of in ROUTES.items():
            method, _, path = name.partition(" ")
            if "/callback/" in path or "/signed/" in path:
                continue
            for ask in of(world.theirs.ids):
                first, second = [await send(one, method, ask) for one in (there, nowhere)]
                if "{env}" in path:  # the path wins over the header
                    assert first.status_code == second.status_code == 403
                    continue
                assert told(first, world.theirs.ids) == told(second, world.theirs.ids), name
                assert first.status_code == 403, name


async def test_keys_of_requests_and_of_work_are_each_tenant_s_own(world: World) -> None:
    mine, theirs = world.mine, world.theirs
    options = {"idempotencyKey": "new key", "concurrencyKey": "new"}
    repeat = {"x-trigger-request-idempotency-key": "the same request"}
    for path, body, status in (
        ("/api/v1/tasks/work/trigger", {"payload": 1, "options": options}, 200),
        ("/api/v1/tasks/work/trigger", {"payload": 1}, 200),
        ("/api/v3/batches", {"runCount": 1, "idempotencyKey": "new batch"}, 202),
        ("/api/v3/batches", {"runCount": 1}, 202),
        ("/api/v2/tasks/batch", {"items": [{"task": "work", "payload": 1}]}, 202),
        ("/api/v1/waitpoints/tokens", {"idempotencyKey": "new token"}, 200),
        ("/api/v1/bulk-actions", {"action": "cancel", "runIds": ["run_x"]}, 202),
    ):
        answers = [
            await tenant.client.post(path, json=body, headers=repeat) for tenant in (theirs, mine)
        ]
        assert [answer.status_code for answer in answers] == [status] * 2
        first, second = (answer.json() for answer in answers)
        assert first["id"] != second["id"], path
        assert not second.get("isCached"), path


async def test_a_socket_is_told_nothing_of_another_tenant(world: World) -> None:
    theirs, unknown = world.theirs.ids, world.unknown()
    url = f"ws://127.0.0.1:{world.port}{SOCKET}"
    headers = {"authorization": f"Bearer {world.mine.key}"}
    async with connect(url, additional_headers=headers, proxy=None) as socket:
        for ids in (theirs, unknown):
            asked: tuple[dict[str, Any], ...] = (
                {"topic": "run", "run": ids.run},
                {"topic": "logs", "run": ids.ended},
                {"topic": "batch", "batch": ids.batch},
                {"topic": "tags", "tags": [ids.tag]},
                {"topic": "tags", "tags": ["shared"]},
                {"topic": "list"},
            )
            for number, wanted in enumerate(asked):
                subscribe = {"op": "subscribe", "id": f"{ids.slug}{number}"} | wanted
                await socket.send(json.dumps(subscribe))
        await world.theirs.post(f"/api/v1/runs/{theirs.run}/tags", {"tags": ["later"]})
        heard = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    heard.append(str(await socket.recv()))
    kinds: dict[str, list[str]] = {theirs.slug: [], unknown.slug: []}
    for text in heard:
        message = json.loads(text)
        kinds[message["id"][:-1]].append(f"{message['id'][-1]} {message['op']}")
    assert sorted(kinds[theirs.slug]) == sorted(kinds[unknown.slug])
    assert len(kinds[theirs.slug]) >= 6
    everything = "".join(text for text in heard if '"op":"error"' not in text)
    for name in (world.theirs.canary, theirs.tag, theirs.run, theirs.ended, theirs.task):
        assert name not in everything


async def test_a_worker_does_not_take_over_another_tenant_s_session(world: World) -> None:
    hello = Hello(PROTOCOL, world.theirs.ids.session, 4, "v", [], [])
    url = f"ws://127.0.0.1:{world.port}{LINK}"
    headers = {"authorization": f"Bearer {world.mine.key}"}
    async with connect(url, additional_headers=headers, proxy=None) as socket:
        await socket.send(encoder.encode(hello))
        data = await socket.recv()
        assert isinstance(data, bytes)
        assert isinstance(decode_orders(data)[0], Goodbye)
    waiting = await world.theirs.worker.next(Execute)  # its own work goes on
    await world.theirs.worker.finish(waiting)
    await world.theirs.worker.durable()


async def test_the_same_questions_are_answered_about_one_s_own(world: World) -> None:
    """Otherwise they could be refused for another reason than that the things are foreign."""
    people = {ENVIRONMENT: "dev"}
    faults = []
    async with (
        world.mine.client_of(world.mine.key) as key,
        world.mine.client_of(world.person, **people) as person,
    ):
        reads, rest = [], []
        for name, of in ROUTES.items():
            method, _, path = name.partition(" ")
            client = person if path.startswith(PEOPLE) else key
            for ask in of(world.mine.ids):
                (reads if method == "GET" else rest).append((name, ask, client, method))

        async def asked(name: str, ask: Ask, client: httpx2.AsyncClient, method: str) -> None:
            answer = await send(client, method, ask)
            if ask.own and answer.status_code != ask.own:
                faults.append((name, ask, answer.status_code, answer.text))

        await asyncio.gather(*(asked(*one) for one in reads))  # some wait for more to come
        for one in rest:
            await asked(*one)
    assert not faults, "\n".join(str(fault)[:600] for fault in faults)
