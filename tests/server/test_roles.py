"""Roles: every route, every role, two environments; and the routes that manage keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2
import msgspec
import pytest
from starlette.responses import Response

from mainspring.clock import ManualClock
from mainspring.model.role import ROLES as NAMES, may
from mainspring.server import permits
from mainspring.server.answers import json
from mainspring.server.app import ROUTES, build
from mainspring.server.auth import ENVIRONMENT, KEPT_S
from mainspring.server.exchange import Exchange
from mainspring.server.peoplebook import PeopleBook
from mainspring.server.routes import ASKED, Route
from mainspring.settings import ServerSettings
from mainspring.wire import calls
from mainspring.wire.access import AuditPage, KeyList, ShownKey
from tests.server.conftest import DEV, KEY, PEPPER, PROD, Served, TableEngine

WHERE = {"dev": DEV, "prod": PROD}
CALL: Final = "/api/mainspring/v1/call"
KEYS: Final = "/api/mainspring/v1/keys"


async def reached(_: Exchange) -> Response:
    return json({"reached": True})


def path_of(route: Route, slug: str) -> str:
    """An address of the route; a step that names an environment names that one."""
    steps = [slug if step == "{env}" else "x" if step.startswith("{") else step
             for step in route.path.split("/")]  # fmt: skip
    return "/".join(steps)


@pytest.fixture
async def people(engine: TableEngine) -> dict[str, str]:
    """A token of somebody with each role in dev and none elsewhere, and of one without any."""
    book = PeopleBook(engine.access, PEPPER, 0, "test")
    found = {role: await book.add(role, role, DEV) for role in NAMES}
    found["nobody"] = await book.add("nobody", "viewer", DEV)
    await book.give("nobody", "", DEV)
    return found


@pytest.fixture
async def gate(engine: TableEngine, clock: ManualClock) -> AsyncIterator[httpx2.AsyncClient]:
    """The whole table of routes, each of which only says that it was reached."""
    stubs = [msgspec.structs.replace(route, handler=reached) for route in ROUTES]
    app = build(engine, ServerSettings(access_log=False), clock, pepper=PEPPER, routes=stubs)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_every_route_lets_in_exactly_the_roles_that_may(
    gate: httpx2.AsyncClient, people: dict[str, str]
) -> None:
    cells = 0
    for route in ROUTES:
        if route.open or route.by_callback or route.signed:
            continue
        action, resource = route.needs
        for name, token in people.items():
            for slug in WHERE:
                headers = {"authorization": f"Bearer {token}", ENVIRONMENT: slug}
                answer = await gate.request(route.method, path_of(route, slug), headers=headers)
                inside = name != "nobody" and slug == "dev"
                lets = inside and (resource == ASKED or may(name, action, resource))
                told = (route.method, route.path, name, slug)
                assert answer.status_code == (200 if lets else 403), told
                cells += 1
    assert cells >= 9 * len(ROUTES)


async def test_without_a_key_no_route_is_reached_but_the_open_ones(
    gate: httpx2.AsyncClient,
) -> None:
    for route in ROUTES:
        answer = await gate.request(route.method, path_of(route, "dev"))
        assert answer.status_code == (200 if route.open else 401), route.path


def test_each_role_may_all_that_the_one_before_may() -> None:
    needs = {route.needs for route in ROUTES} | {permits.needs(calls.CancelRun("r"))}
    for action, resource in needs:
        allowed = [may(role, action, resource) for role in NAMES]
        assert allowed == sorted(allowed), (action, resource)
        assert allowed[-1]
        assert not may("", action, resource)
        assert not may("root", action, resource)


@pytest.mark.parametrize(
    "role, action, resource, allowed",
    [
        ("viewer", "read", "runs", True), ("viewer", "cancel", "runs", False),
        ("viewer", "read", "envvars", False), ("operator", "cancel", "runs", True),
        ("operator", "replay", "runs", True), ("operator", "trigger", "tasks", False),
        ("operator", "write", "queues", True), ("operator", "write", "runs", False),
        ("developer", "trigger", "tasks", True), ("developer", "write", "deployments", True),
        ("developer", "write", "envvars", False), ("developer", "read", "keys", False),
        ("admin", "write", "envvars", True), ("admin", "write", "keys", True),
        ("admin", "read", "audit", True), ("admin", "write", "people", True),
    ],
)  # fmt: skip
def test_what_the_roles_are_for(role: str, action: str, resource: str, allowed: bool) -> None:
    assert may(role, action, resource) is allowed


async def test_an_unknown_environment_looks_like_a_foreign_one(
    gate: httpx2.AsyncClient, people: dict[str, str]
) -> None:
    def told(answer: httpx2.Response) -> tuple[int, Any]:
        return answer.status_code, answer.json()

    answers = [
        told(
            await gate.get(
                "/api/v1/runs",
                headers={"authorization": f"Bearer {people['admin']}", ENVIRONMENT: slug},
            )
        )
        for slug in ("prod", "stg", "no such")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 403


async def test_our_own_route_asks_for_what_each_request_needs(
    served: Served, people: dict[str, str]
) -> None:
    requests: list[tuple[Any, list[bool]]] = [
        (calls.ListQueues(), [True, True, True, True]),
        (calls.Retrieve("run_1"), [True, True, True, True]),
        (calls.CancelRun("run_1"), [False, True, True, True]),
        (calls.PauseQueue("q", True), [False, True, True, True]),
        (calls.EmitEvent("e"), [False, False, True, True]),
        (calls.Trigger([]), [False, False, True, True]),
    ]
    for request, allowed in requests:
        for role, lets in zip(NAMES, allowed, strict=True):
            answer = await served.client.post(
                CALL,
                content=msgspec.msgpack.encode(request),
                headers={"authorization": f"Bearer {people[role]}"},
            )
            assert answer.status_code == (200 if lets else 403), (request, role)


async def test_a_role_that_is_taken_away_ends_within_seconds(
    served: Served, people: dict[str, str], clock: ManualClock
) -> None:
    headers = {"authorization": f"Bearer {people['viewer']}"}
    assert (await served.client.get("/api/v1/queues", headers=headers)).status_code == 200
    await PeopleBook(served.engine.access, PEPPER, 0, "test").sign_out("viewer")
    clock.advance(int(KEPT_S * 1000) + 1)
    assert (await served.client.get("/api/v1/queues", headers=headers)).status_code == 401


async def test_an_admin_makes_replaces_and_ends_keys_of_that_environment_only(
    served: Served, people: dict[str, str]
) -> None:
    admin = {"authorization": f"Bearer {people['admin']}"}
    foreign = (await served.engine.access.keys(PROD.env_id))[0].key_id
    answer = await served.client.post(
        KEYS, headers=admin, json={"label": "ci", "scopes": ["read:runs"], "expiresIn": "90d"}
    )
    made = msgspec.json.decode(answer.content, type=ShownKey)
    assert (answer.status_code, made.label, made.scopes) == (201, "ci", ["read:runs"])
    assert str(made.key)[-4:] == made.last_four
    use = {"authorization": f"Bearer {made.key}"}
    assert (await served.client.get("/api/v1/runs", headers=use)).status_code == 200
    answer = await served.client.post(f"{KEYS}/{made.id}/rotate", headers=admin)
    turned = msgspec.json.decode(answer.content, type=ShownKey)
    assert (turned.label, turned.scopes) == ("ci", ["read:runs"])
    answer = await served.client.post(f"{KEYS}/{made.id}/revoke", headers=admin)
    assert msgspec.json.decode(answer.content, type=ShownKey).revoked_at
    for key_id in (foreign, "key_none", made.id):
        for verb in ("rotate", "revoke"):
            answer = await served.client.post(f"{KEYS}/{key_id}/{verb}", headers=admin)
            assert answer.status_code == 404, (key_id, verb)
    listed = msgspec.json.decode(
        (await served.client.get(KEYS, headers=admin)).content, type=KeyList
    )
    assert {key.environment for key in listed.data} == {"dev"}
    assert all(not key.key for key in listed.data)
    audit = await served.client.get("/api/mainspring/v1/audit", headers=admin)
    entries = msgspec.json.decode(audit.content, type=AuditPage).data
    own = [entry for entry in entries if entry.who == "person admin"]
    assert [entry.what for entry in own] == ["keys.create", "keys.rotate", "keys.revoke"]
    assert {entry.origin for entry in own} == {"127.0.0.1"}
    assert all(entry.request_id for entry in own)
    newest = await served.client.get("/api/mainspring/v1/audit?before=0", headers=admin)
    latest = msgspec.json.decode(newest.content, type=AuditPage).data
    assert latest == entries[::-1]
    older = await served.client.get(
        f"/api/mainspring/v1/audit?before={latest[0].number}", headers=admin
    )
    assert msgspec.json.decode(older.content, type=AuditPage).data == latest[1:]


async def test_a_key_manages_no_keys(served: Served) -> None:
    for method, path in (("GET", KEYS), ("POST", KEYS), ("POST", f"{KEYS}/x/revoke")):
        answer = await served.client.request(method, path)
        assert answer.status_code == 403
    assert (await served.client.get("/api/mainspring/v1/audit")).status_code == 403


async def test_changes_by_admins_are_told_once_and_triggers_are_not(
    served: Served, clock: ManualClock
) -> None:
    before = await served.engine.access.log.head()
    assert before is not None
    pause = {"type": "custom", "action": "pause"}
    await served.client.post("/api/v1/tasks/t/trigger", json={})
    await served.client.get("/api/v1/queues")
    await served.client.post("/api/v1/queues/mail%2Fout/pause", json=pause)
    await served.client.post("/api/v1/queues/unknown/pause", json=pause)  # refused
    request = msgspec.msgpack.encode(calls.SetQueue("mail/out", 3))
    await served.client.post(CALL, content=request)
    await served.app.drain()
    links = await served.engine.access.log.page(before.number, 100)
    told = [(link.what, link.target) for link in links if not link.what.startswith("keys.")]
    assert told == [("queues.pause", "mail/out"), ("queues.override", "mail/out")]
    first = next(link for link in links if link.what == "queues.pause")
    assert first.who == f"key key_{KEY[-6:]} …{KEY[-4:]} test"
    assert (first.env_id, first.origin) == (DEV.env_id, "127.0.0.1")
    assert first.request_id


async def test_a_key_is_noted_at_its_first_use_and_once_a_day(
    served: Served, clock: ManualClock
) -> None:
    async def uses() -> list[str]:
        for _ in range(3):
            assert (await served.client.get("/api/v1/queues")).status_code == 200
        await served.app._keys.drain()
        links = await served.engine.access.log.page(0, 100)
        return [link.what for link in links if link.what in ("keys.first_use", "keys.use")]

    assert await uses() == ["keys.first_use"]
    (row, *_) = await served.engine.access.keys(DEV.env_id)
    assert row.used_at == clock.now()
    clock.advance(10_000)
    assert await uses() == ["keys.first_use"]
    (row, *_) = await served.engine.access.keys(DEV.env_id)
    assert row.used_at == clock.now() - 10_000  # not a write a request
    clock.advance(86_400_000)
    assert await uses() == ["keys.first_use", "keys.use"]
