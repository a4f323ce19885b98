"""What a public token shows beside the run that it names, and what it asks over our own route."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from mainspring.clock import ManualClock
from mainspring.model.run import RunFilter, TriggerOptions, TriggerRequest
from mainspring.server.app import build
from mainspring.server.peoplebook import PeopleBook
from mainspring.settings import ServerSettings
from mainspring.wire import calls, operating, tokens
from mainspring.wire.worker import Op
from tests.server.conftest import DEV, KEY, PEPPER, TableEngine
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "whole"]

CALL = "/api/mainspring/v1/call"


class Family:
    """A parent and its child, with another tag each, and what both wrote."""

    def __init__(self, whole: Whole, parent: str, child: str, batch: str) -> None:
        self.whole = whole
        self.parent = parent
        self.child = child
        self.batch = batch

    async def token(self, *scopes: str, **more: Any) -> str:
        body = {"scopes": list(scopes)} | more
        return str((await self.whole.post("/api/v1/auth/public-tokens", body))["token"])

    async def get(self, path: str, *scopes: str, **headers: str) -> httpx2.Response:
        headers["authorization"] = f"Bearer {await self.token(*scopes)}"
        return await self.whole.client.get(path, headers=headers)

    async def call(self, request: calls.Request, *scopes: str, **more: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {await self.token(*scopes, **more)}"}
        return await self.whole.client.post(
            CALL, content=msgspec.msgpack.encode(request), headers=headers
        )


@pytest.fixture
async def family(whole: Whole) -> Family:
    await whole.worker(slots=0)
    parent = await whole.trigger("of the parent", tags=["of-parent"])
    body = {"payload": {"id": 1}, "options": {"parentRunId": parent, "tags": ["of-child"]}}
    child = (await whole.post("/api/v1/tasks/mail%2Fsend/trigger", body))["id"]
    for run_id in (parent, child):
        await whole.post(f"/realtime/v1/streams/{run_id}/self/out", run_id)
    batch = (await whole.post("/api/v3/batches", {"runCount": 2}, 202))["id"]
    return Family(whole, parent, child, batch)


async def test_relatives_are_shown_to_who_may_see_them(family: Family) -> None:
    path = f"/api/v3/runs/{family.child}"
    for scopes, shown in (
        ((f"read:runs:{family.child}",), False),
        (("read:tags:of-child",), False),
        ((f"read:runs:{family.child}", "read:tags:of-parent"), True),
        (("read:runs",), True),
    ):
        answer = await family.get(path, *scopes)
        assert answer.status_code == 200
        assert ("parent" in answer.json()["relatedRuns"]) is shown, scopes
        assert (family.parent in answer.text.replace(family.child, "")) is shown
        inspected = await family.call(operating.InspectRun(family.child), *scopes)
        detail = msgspec.msgpack.decode(inspected.content, type=operating.RunDetail)
        assert (detail.parent is not None) is (detail.root is not None) is shown
    above = await family.get(f"/api/v3/runs/{family.parent}", f"read:runs:{family.parent}")
    assert family.child not in above.text


async def test_a_trace_has_the_runs_below_for_who_may_see_them(family: Family) -> None:
    path = f"/api/v1/runs/{family.parent}/trace"
    whole_trace = (await family.whole.get(path))["trace"]
    [child] = whole_trace["rootSpan"]["children"]
    assert child["runId"] == family.child
    for scopes, shown in (
        ((f"read:runs:{family.parent}",), False),
        ((f"read:runs:{family.parent}", "read:tasks:mail/send"), True),
        (("read:runs",), True),
    ):
        for more in ("", "?page%5Bsize%5D=50"):
            assert (family.child in (await family.get(path + more, *scopes)).text) is shown
        span = await family.get(f"/api/v1/runs/{family.parent}/spans/{child['id']}", *scopes)
        assert span.status_code == (200 if shown else 403)
        request = operating.TraceRun(family.parent)
        assert (family.child.encode() in (await family.call(request, *scopes)).content) is shown


async def test_streams_of_relatives_are_read_by_who_may_see_those(family: Family) -> None:
    for target in ("parent", "root"):
        path = f"/realtime/v1/streams/{family.child}/{target}/out"
        narrow = await family.get(path, f"read:runs:{family.child}", **{"timeout-seconds": "1"})
        assert narrow.status_code == 403
        both = (f"read:runs:{family.child}", f"read:runs:{family.parent}")
        wide = await family.get(path, *both, **{"timeout-seconds": "1"})
        assert wide.status_code == 200
        assert family.parent in wide.text


def asked(family: Family) -> list[tuple[calls.Request, str]]:
    """Requests over our own route, with the one scope that lets each through."""
    run, item = family.parent, calls.BatchItem(0, TriggerRequest("work", "1"))
    trigger = calls.Trigger([TriggerRequest("work", "1")])
    return [
        (trigger, "trigger:tasks:work"),
        (calls.Trigger([TriggerRequest("work", "1")], as_batch=True), "batchTrigger:tasks:work"),
        (calls.CreateBatch(1), "batchTrigger:tasks"),
        (calls.AddItems(family.batch, [item]), f"write:batch:{family.batch}"),
        (calls.AddItems(family.batch, [item]), "batchTrigger:tasks:work"),
        (calls.RetrieveBatch(family.batch), f"read:batch:{family.batch}"),
        (calls.ListBatchRuns(family.batch), f"read:batch:{family.batch}"),
        (calls.Retrieve(run), f"read:runs:{run}"),
        (calls.Retrieve(run), "read:tags:of-parent"),
        (calls.AwaitRun(run, 0), "read:tasks:work"),
        (calls.AwaitRuns(run_id=run), f"read:runs:{run}"),
        (calls.AwaitRuns(tags=("of-parent",)), "read:tags:of-parent"),
        (calls.AwaitRuns(batch_id=family.batch), f"read:batch:{family.batch}"),
        (calls.ListRuns(RunFilter(task=("work",))), "read:tasks:work"),
        (calls.ListRuns(RunFilter()), "read:runs"),
        (calls.ListLogs(run), f"read:runs:{run}"),
        (calls.GetOutcomes([run]), f"read:runs:{run}"),
        (calls.FindRun(run), f"read:runs:{run}"),
        (calls.ReadStream(run, "out", 0, 5), f"read:runs:{run}"),
        (calls.FindStream(run, "out", "w"), f"read:runs:{run}"),
        (operating.InspectRun(run), f"read:runs:{run}"),
        (operating.TraceRun(run), f"read:runs:{run}"),
        (calls.SendInput(run, "in", "1"), f"write:inputStreams:{run}"),
        (operating.ListDeployments(), "read:deployments"),
        (operating.CurrentDeployment(), "read:deployments"),
        (calls.CancelRun(run), f"write:runs:{run}"),
    ]


async def test_a_token_asks_over_our_own_route_what_its_scopes_cover(family: Family) -> None:
    for request, scope in asked(family):
        for wrong in ("read:waitpoints", f"read:runs:{family.child}", "write:tasks:other"):
            refused = await family.call(request, wrong)
            assert refused.status_code == 403, (request, wrong)
        let = await family.call(request, scope)
        assert let.status_code == 200, (request, scope, let.content)


async def test_what_takes_a_key_takes_no_token_over_our_own_route_either(family: Family) -> None:
    run = family.parent
    for request in (
        calls.ReplayRun(run), calls.RestartRun(run), calls.AddTags(run, ("a",)),
        calls.RescheduleRun(run, delay_ms=1), calls.UpdateMetadata(run, [Op("set", "a", "1")]),
        calls.AppendChunks(run, "out", ["1"], "w"), calls.EmitEvent("e", "1"), calls.CreateToken(),
        calls.GetToken("waitpoint_1"), calls.ListTokens(), calls.ListQueues(), calls.ListTasks(),
        calls.PauseQueue("mail", paused=True), calls.SetQueue("mail", 1), calls.ListVariables(),
        calls.SetVariables({"A": "b"}), calls.ListJournal(run), calls.SettleRun(run, "fail"),
        operating.StartBulk("cancel", run_ids=(run,)), operating.ListSchedules(),
        operating.PauseEnvironment(paused=True), calls.ExplainRun(run),
    ):  # fmt: skip
        assert (await family.call(request, "admin")).status_code == 403, request


async def test_a_one_time_token_is_used_up_over_our_own_route(family: Family) -> None:
    text = await family.token("trigger:tasks:work", oneTimeUse=True)
    request = calls.Trigger([TriggerRequest("work", "1", TriggerOptions())])
    statuses = [
        (
            await family.whole.client.post(
                CALL,
                content=msgspec.msgpack.encode(request),
                headers={"authorization": f"Bearer {text}"},
            )
        ).status_code
        for _ in range(2)
    ]
    assert statuses == [200, 401]


async def test_who_may_only_look_is_not_told_what_completes_a_token(whole: Whole) -> None:
    token = await whole.post("/api/v1/waitpoints/tokens", {})
    proof = token["url"].rpartition("/")[2]
    people = PeopleBook(whole.house.engine.access, PEPPER, whole.house.clock.now(), "test")
    for role, told in (("viewer", False), ("operator", False), ("developer", True)):
        text = await people.add(role, role, whole.house.env)
        headers = {"authorization": f"Bearer {text}"}
        request = msgspec.msgpack.encode(calls.GetToken(token["id"]))
        listing = msgspec.msgpack.encode(calls.ListTokens())
        answers = [
            await whole.client.get(f"/api/v1/waitpoints/tokens/{token['id']}", headers=headers),
            await whole.client.get("/api/v1/waitpoints/tokens", headers=headers),
            await whole.client.post(CALL, content=request, headers=headers),
            await whole.client.post(CALL, content=listing, headers=headers),
        ]
        for answer in answers:
            assert answer.status_code == 200
            assert (proof.encode() in answer.content) is told, role


async def test_tokens_and_addresses_do_not_spend_what_others_may(
    engine: TableEngine, clock: ManualClock
) -> None:
    settings = ServerSettings(requests_per_s=3, access_log=False)
    app = build(engine, settings, clock, pepper=PEPPER)
    signing, now_s = PEPPER.signing(DEV.env_id, 0), clock.now() // 1000
    [row] = await engine.access.keys(DEV.env_id)
    first, second = (
        tokens.token(signing, "env_1", ["read:runs"], now_s, life, made_by=row.key_id)
        for life in (60, 61)
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

        async def ask(text: str) -> int:
            headers = {"authorization": f"Bearer {text}"}
            return (await client.get("/api/v3/runs/run_1", headers=headers)).status_code

        assert [await ask(first) for _ in range(5)] == [200, 200, 200, 429, 429]
        assert await ask(second) == 200
        assert await ask(KEY) == 200
