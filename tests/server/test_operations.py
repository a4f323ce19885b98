"""What people do in bulk and by schedule, and what they look into, over HTTP on both databases."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from mainspring.model.run import RunError
from mainspring.server.api import bulk, deployments, environment, queues, runs, schedules, trace
from mainspring.server.peoplebook import PeopleBook
from mainspring.server.routes import Route
from mainspring.wire.traces import SpanPage
from mainspring.wire.worker import Entry, Execute, LogLine, Logs, Record
from tests.server.conftest import PEPPER
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "whole"]
GIVEN = {
    (route.method, route.path): route
    for module in (bulk, deployments, environment, queues, runs, schedules, trace)
    for route in module.ROUTES
}
CRON = {"task": "work", "cron": "0 9 * * *"}


def spoken(route: Route, answer: Any, type_: Any = None) -> Any:
    """The answer, which the route's type describes completely."""
    told = msgspec.convert(answer, type_ or route.gives, strict=True)
    assert msgspec.to_builtins(told) == answer
    return answer


class Api:
    """Requests by method and path of a route, whose answers are held against their types."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole

    async def __call__(
        self, method: str, path: str, *parameters: str, body: Any = None, **query: Any
    ) -> Any:
        route = GIVEN[method, path]
        for parameter in parameters:
            before, _, after = path.partition("{")
            path = f"{before}{quote(parameter, safe='')}{after.partition('}')[2]}"
        sent = None if body is None else msgspec.json.encode(body)
        response = await self.whole.client.request(method, path, content=sent, params=query)
        assert response.status_code == route.status, response.text
        paged = path.endswith("/trace") and "page[size]" in query
        return spoken(route, response.json(), SpanPage if paged else None)

    async def refused(self, method: str, path: str, body: Any, status: int) -> str:
        sent = None if body is None else msgspec.json.encode(body)
        response = await self.whole.client.request(method, path, content=sent)
        assert response.status_code == status, response.text
        assert response.headers["x-should-retry"] == "false"
        return str(response.json()["error"])


@pytest.fixture
def api(whole: Whole) -> Api:
    return Api(whole)


async def test_runs_are_listed_by_each_word_they_have(whole: Whole, api: Api) -> None:
    await whole.worker(slots=0)
    plain = await whole.trigger()
    large = await whole.trigger(machine="large-1x", region="eu", test=True)
    mail = await whole.trigger({"id": 1}, task="mail%2Fsend", lockToVersion="7")
    for query, wanted in (
        ({}, [mail, large, plain]),
        ({"machine": "large-1x,micro"}, [large]),
        ({"region": "eu"}, [large]),
        ({"isTest": "true"}, [large]),
        ({"queue": "mail"}, [mail]),
        ({"queue": "task/work"}, [large, plain]),
        ({"version": "7"}, [mail]),
        ({"error": "ValueError"}, []),
        ({"schedule": "sched_1"}, []),
        ({"bulkAction": "bulk_1"}, []),
        ({"queue": "task/work", "region": "eu", "status": "QUEUED"}, [large]),
    ):
        filters = {f"filter[{name}]": value for name, value in query.items()}
        found = await api("GET", "/api/v1/runs", **filters)
        assert [run["id"] for run in found["data"]] == wanted, query
    page = await api("GET", "/api/v1/runs", **{"page[size]": 1})
    both = {"page[size]": 1, "page[after]": page["pagination"]["next"], "page[before]": plain}
    assert [run["id"] for run in (await api("GET", "/api/v1/runs", **both))["data"]] == [large]


async def test_a_failed_run_is_found_by_its_error(whole: Whole, api: Api) -> None:
    worker = await whole.worker()
    run_id = await whole.trigger(maxAttempts=1)
    order = await worker.next(Execute)
    await worker.finish(order, "failed", error=RunError("no", "ValueError"))
    await worker.durable()
    found = await api("GET", "/api/v1/runs", **{"filter[error]": "ValueError"})
    assert [run["id"] for run in found["data"]] == [run_id]


async def test_the_runs_of_a_project_are_those_of_the_key(whole: Whole, api: Api) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    path = "/api/v1/projects/{project}/runs"
    for query in ({}, {"filter[env]": "dev"}):
        found = await api("GET", path, "proj_any", **query)
        assert [run["id"] for run in found["data"]] == [run_id]
    told = await api.refused("GET", "/api/v1/projects/p/runs?filter[env]=dev,prod", None, 400)
    assert "prod" in told


async def test_a_replay_takes_other_options(whole: Whole, api: Api) -> None:
    await whole.worker(slots=0)
    old = await whole.trigger({"n": 1}, tags=["a"], priority=5, machine="micro")
    path = "/api/v1/runs/{run}/replay"
    same = await whole.run((await api("POST", path, old))["id"])
    assert (same["payload"], same["tags"]) == ({"n": 1}, ["a"])
    body = {
        "payload": '{"json":{"n":2}}',
        "payloadType": "application/super+json",
        "tags": ["b"],
        "metadata": {"m": 1},
        "queue": "mail",
        "concurrencyKey": "user-1",
        "machine": "large-1x",
        "region": "eu",
        "version": "7",
        "delay": "1h",
        "ttl": "2h",
        "idempotencyKey": "once",
        "idempotencyKeyTTL": "1h",
        "maxAttempts": 7,
        "maxDuration": 60,
        "priority": 3,
    }
    made = (await api("POST", path, old, body=body))["id"]
    run = await whole.run(made)
    assert (run["payload"], run["tags"], run["metadata"]) == ({"n": 2}, ["b"], {"m": 1})
    assert (run["status"], run["ttl"], run["region"], run["version"]) == (
        "DELAYED", "2h", "eu", "7",
    )  # fmt: skip
    assert (await api("POST", path, old, body=body))["id"] == made  # by its idempotency key
    found = await api("GET", "/api/v1/runs", **{"filter[machine]": "large-1x"})
    assert [run["id"] for run in found["data"]] == [made]
    cleared = (await api("POST", path, old, body={"tags": []}))["id"]
    assert (await whole.run(cleared))["tags"] == []
    for wrong in ({"x": 1}, {"machine": "huge"}, {"delay": "soon"}, {"queue": {"name": "q"}}, [1]):
        await api.refused("POST", f"/api/v1/runs/{old}/replay", wrong, 400)


async def test_many_runs_are_canceled_and_replayed(whole: Whole, api: Api) -> None:
    await whole.worker(slots=0)
    ids = [await whole.trigger(n, tags=["x"]) for n in range(4)]
    kept = await whole.trigger()
    start = "/api/v1/bulk-actions"
    one = f"{start}/{{action}}"
    wanted = {"tag": ["x", "y"], "status": "QUEUED", "isTest": False, "period": "1d"}
    body = {"action": "cancel", "filter": wanted, "name": "spring"}
    made = (await api("POST", start, body=body))["id"]
    await whole.house.advance(0)
    found = await api("GET", one, made)
    assert (found["status"], found["type"], found["name"]) == ("COMPLETED", "CANCEL", "spring")
    assert found["counts"] == {"total": 4, "success": 4, "failure": 0}
    assert (await whole.run(kept))["status"] == "QUEUED"
    again = {"action": "replay", "runIds": [*ids, "run_unknown"], "targetRegion": "eu"}
    second = (await api("POST", start, body=again))["id"]
    await whole.house.advance(0)
    assert (await api("GET", one, second))["counts"] == {"total": 5, "success": 4, "failure": 1}
    listed = await api("GET", start, **{"page[size]": 1})
    assert [action["id"] for action in listed["data"]] == [second]
    after = {"page[after]": listed["pagination"]["next"]}
    assert [action["id"] for action in (await api("GET", start, **after))["data"]] == [made]
    runs_of = await api("GET", "/api/v1/runs", **{"filter[bulkAction]": second})
    assert [run["region"] for run in runs_of["data"]] == ["eu"] * 4
    assert (await api("POST", f"{one}/abort", second))["id"] == second
    for wrong in (
        {"action": "cancel"},
        {"action": "delete", "runIds": ["run_1"]},
        {"action": "cancel", "filter": {"tagg": "x"}},
        {"action": "cancel", "filter": {"tag": {"a": 1}}},
        {"action": "cancel", "filter": {}, "runIds": ["run_1"]},
        {"action": "cancel", "filter": {"createdAt": 7}},
    ):
        await api.refused("POST", start, wrong, 400)
    await api.refused("GET", f"{start}/bulk_none", None, 404)
    foreign = await whole.foreign.get(f"{start}/{made}")
    assert foreign.status_code == 404


async def test_schedules_live_from_their_making_to_their_end(whole: Whole, api: Api) -> None:
    await whole.worker()
    every, one = "/api/v1/schedules", "/api/v1/schedules/{schedule}"
    body = CRON | {"deduplicationKey": "daily", "externalId": "u1", "timezone": "Europe/Berlin"}
    made = await api("POST", every, body=body)
    assert (made["type"], made["active"], made["externalId"]) == ("IMPERATIVE", True, "u1")
    assert made["generator"]["expression"] == "0 9 * * *"
    assert made["generator"]["description"]
    assert [env["type"] for env in made["environments"]] == ["DEVELOPMENT"]
    assert made["nextRun"] == made["nextRunEffectiveAt"]
    same = await api("POST", every, body=CRON | {"deduplicationKey": "daily", "window": "20%"})
    assert (same["id"], same["timezone"], same["window"]) == (made["id"], "UTC", "20%")
    assert "externalId" not in same
    other = await api("POST", every, body=CRON)
    assert "deduplicationKey" not in other
    page = await api("GET", every, page=1, perPage=1)
    assert ([row["id"] for row in page["data"]], page["pagination"]) == (
        [other["id"]],
        {"currentPage": 1, "totalPages": 2, "count": 2},
    )
    changed = await api("PUT", one, made["id"], body={"task": "work", "cron": "* * * * *"})
    assert (changed["generator"]["expression"], changed["deduplicationKey"]) == (
        "* * * * *",
        "daily",
    )
    off = await api("POST", f"{one}/deactivate", made["id"])
    assert (off["active"], "nextRun" in off) == (False, False)
    assert (await api("POST", f"{one}/activate", made["id"]))["active"] is True
    shown = await api("GET", one, made["id"])
    assert (shown["active"], shown["catchUp"], "lastRun" in shown) == (True, "latest", False)
    ticks = (await api("GET", f"{one}/next", made["id"], count=2))["data"]
    assert (len(ticks), ticks[0]) == (2, shown["nextRun"])
    await api.refused("GET", f"{every}/{made['id']}/next?count=x", None, 400)
    run = await api("POST", f"{one}/run", made["id"])
    assert run["id"].startswith("run_")
    assert await api("DELETE", one, made["id"]) == {"id": made["id"]}
    await api.refused("GET", f"{every}/{made['id']}", None, 404)
    for wrong, status in (
        (CRON | {"cron": "* * * * * *"}, 422),
        (CRON | {"timezone": "Mars/Base"}, 422),
        (CRON | {"window": "3d"}, 422),
        (CRON | {"catchUp": "some"}, 422),
        (CRON | {"task": "unknown"}, 404),
        (CRON | {"crone": 1}, 400),
        ({"task": "work"}, 400),
        ([], 400),
    ):
        await api.refused("POST", every, wrong, status)


async def test_zones_are_told_to_anybody(whole: Whole, api: Api) -> None:
    del whole.client.headers["authorization"]
    names = (await api("GET", "/api/v1/timezones"))["timezones"]
    assert (names[0], "Europe/Berlin" in names) == ("UTC", True)
    without = (await api("GET", "/api/v1/timezones", excludeUtc="true"))["timezones"]
    assert without == names[1:]


async def test_versions_of_workers_are_deployments(whole: Whole, api: Api) -> None:
    every = "/api/v1/deployments"
    await api.refused("GET", f"{every}/current", None, 404)
    await whole.worker()
    await whole.house.settle()
    current = await api("GET", f"{every}/current")
    assert (current["version"], current["status"], current["workers"]) == ("1", "DEPLOYED", 1)
    assert (await api("GET", every))["data"] == [current]
    assert (await api("GET", every, status="FAILED"))["data"] == []
    assert (await api("GET", every, status="DEPLOYED", period="1d"))["data"] == [current]
    assert (await api("GET", every, **{"to": "2001-01-01"}))["data"] == []
    await api.refused("GET", f"{every}?status=DONE", None, 400)
    await api.refused("GET", f"{every}?period=long", None, 400)


async def test_a_trace_is_a_tree_or_pages_or_a_span(whole: Whole, api: Api) -> None:
    worker = await whole.worker()
    run_id = await whole.trigger({"n": 1})
    order = await worker.next(Execute)
    at = whole.house.clock.now()
    entry = Entry("charge", 1, "step", "completed", '{"paid":true}', None, "", at, at + 5)
    line = LogLine(run_id, at, "info", "hello", '{"a":1}')
    await worker.send(Record(run_id, order.epoch, 0, [entry]), Logs([line]))
    await worker.finish(order, output='"done"')
    await worker.durable()
    child = await whole.trigger(parentRunId=run_id)
    path = "/api/v1/runs/{run}/trace"
    found = (await api("GET", path, run_id))["trace"]
    root = found["rootSpan"]
    assert (root["runId"], root["data"]["message"]) == (run_id, "work")
    assert (root["data"]["isPartial"], root["data"]["taskSlug"]) == (False, "work")
    [attempt] = root["children"]
    assert attempt["parentId"] == root["id"]
    names = {span["data"]["message"]: span for span in attempt["children"]}
    assert set(names) == {"charge", "work"}
    assert names["work"]["runId"] == child
    assert names["charge"]["data"]["duration"] == 5_000_000
    [event] = attempt["data"]["events"]
    assert (event["name"], event["properties"]) == ("hello", {"a": 1})
    first = await api("GET", path, run_id, **{"page[size]": 3})
    rest = {"page[size]": 3, "page[after]": first["pagination"]["next"]}
    second = await api("GET", path, run_id, **rest)
    ids = [span["id"] for span in first["data"] + second["data"]]
    assert ids[:2] == [root["id"], attempt["id"]]
    assert (len(ids), len(set(ids)), second["pagination"]) == (5, 5, {})
    one = "/api/v1/runs/{run}/spans/{span}"
    step = await api("GET", one, run_id, names["charge"]["id"])
    assert (step["durationMs"], step["properties"]) == (5, {"output": {"paid": True}})
    tried = await api("GET", one, run_id, attempt["id"])
    assert [run["runId"] for run in tried["triggeredRuns"]] == [child]
    assert (await api("GET", one, run_id, root["id"]))["parentId"] is None
    await api.refused("GET", f"/api/v1/runs/{run_id}/spans/{'0' * 16}", None, 404)
    await api.refused("GET", f"/api/v1/runs/{run_id}/trace?page[after]=x", None, 400)


async def test_relatives_are_shown_beside_a_run(whole: Whole, api: Api) -> None:
    await whole.worker(slots=0)
    root = await whole.trigger()
    child = await whole.trigger(parentRunId=root)
    shown = await api("GET", "/api/v3/runs/{run}", root)
    assert [run["id"] for run in shown["relatedRuns"]["children"]] == [child]
    below = await api("GET", "/api/v3/runs/{run}", child)
    assert below["relatedRuns"]["root"] == below["relatedRuns"]["parent"]


async def test_a_queue_is_named_in_each_way_and_limited(whole: Whole, api: Api) -> None:
    await whole.worker()
    one = "/api/v1/queues/{queue}"
    by_task = await api("GET", one, "work", type="task")
    assert (by_task["name"], by_task["type"]) == ("work", "task")
    twice = f"/api/v1/queues/{quote(quote('mail', safe=''), safe='')}?type=task"
    assert await api.refused("GET", twice, None, 404) == "queue-not-found"
    custom = await api("GET", one, "mail", type="custom")
    assert custom["concurrencyLimit"] == 3
    assert await api("GET", one, custom["id"]) == custom
    names = [queue["name"] for queue in (await api("GET", "/api/v1/queues"))["data"]]
    assert names == sorted(names)
    override = f"{one}/concurrency/override"
    body = {"type": "custom", "concurrencyLimit": 9}
    limited = (await api("POST", override, "mail", body=body))["concurrency"]
    assert (limited["current"], limited["base"], limited["override"]) == (9, 3, 9)
    path = "/api/v1/queues/mail/concurrency/override"
    for wrong in ({"percent": 101}, {"percent": 5, "concurrencyLimit": 5}, {"percent": "5"}):
        await api.refused("POST", path, wrong | {"type": "custom"}, 400)
    await api.refused("POST", path, {"type": "custom", "percent": 50}, 422)
    whole.house.owner.state.set_environment(whole.house.limited_environment(7))
    shared = await api("POST", override, "mail", body={"type": "custom", "percent": 50})
    assert shared["concurrencyLimit"] == 3
    reset = f"{one}/concurrency/reset"
    back = (await api("POST", reset, "mail", body={"type": "custom"}))["concurrency"]
    assert (back["current"], back["override"], back["overriddenAt"]) == (3, None, None)
    assert await api.refused("GET", "/api/v1/queues/none", None, 404) == "queue-not-found"


async def test_an_environment_is_paused_as_a_whole(whole: Whole, api: Api) -> None:
    worker = await whole.worker()
    path = "/api/mainspring/v1/environment/pause"
    shown = await api("POST", path, body={"action": "pause"})
    assert shown == {
        "name": "dev", "paused": True, "concurrencyLimit": None, "burst": 1.0,
        "running": 0, "queued": 0,
    }  # fmt: skip
    run_id = await whole.trigger()
    assert (await whole.run(run_id))["status"] == "QUEUED"
    assert (await api("POST", path, body={"action": "resume"}))["paused"] is False
    assert (await worker.next(Execute)).run_id == run_id
    await api.refused("POST", path, {"action": "stop"}, 400)


async def test_a_person_sees_the_runs_of_the_environment_that_is_named(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    book = PeopleBook(whole.house.engine.access, PEPPER, 0, "test")
    token = await book.add("ann", "viewer", whole.house.env)
    whole.client.headers["authorization"] = f"Bearer {token}"
    path = "/api/v1/projects/proj_any/runs?filter[env]="
    assert [run["id"] for run in (await whole.get(f"{path}dev"))["data"]] == [run_id]
    await whole.get(f"{path}prod", 403)
    await whole.get(f"{path}dev,prod", 400)


async def test_deployed_versions_are_shown_with_their_ids_and_promotions(
    whole: Whole, api: Api
) -> None:
    every, call = "/api/v1/deployments", "/api/mainspring/v1/call"
    code = {"bundle": "Y29kZQ==", "hash": hashlib.sha256(b"code").hexdigest()}
    tasks = {"tasks": [{"id": "work", "queue": "task/work"}], "queues": []}
    request = {
        "type": "deploy",
        **code,
        "manifest": tasks,
        "external_id": "c1",
        "runtime": "3.12.1",
    }
    made = await whole.post(call, request)
    [listed] = (await api("GET", every))["data"]
    assert (listed["version"], listed["current"], listed["promotedAt"]) == (
        made["version"],
        False,
        None,
    )
    await whole.post(call, {"type": "promote", "version": "c1"})
    current = await api("GET", f"{every}/current")
    assert (current["externalId"], current["runtimeVersion"]) == ("c1", "3.12.1")
    assert (current["current"], current["id"]) == (True, listed["id"])


async def test_a_public_token_looks_into_the_runs_it_names(whole: Whole, api: Api) -> None:
    await whole.worker(slots=0)
    run_id, other = await whole.trigger(tags=["a"]), await whole.trigger()
    body = {"scopes": ["read:tags:a", "read:deployments"]}
    token = (await whole.post("/api/v1/auth/public-tokens", body))["token"]
    whole.client.headers["authorization"] = f"Bearer {token}"
    found = await api("GET", "/api/v1/runs/{run}/trace", run_id)
    root = found["trace"]["rootSpan"]["id"]
    await api("GET", "/api/v1/runs/{run}/spans/{span}", run_id, root)
    await api("GET", "/api/v1/deployments")
    for path in (f"/api/v1/runs/{other}/trace", f"/api/v1/runs/{other}/spans/{root}"):
        await whole.get(path, 403)
    for path in ("/api/v1/schedules", "/api/v1/bulk-actions", "/api/v1/queues"):
        await whole.get(path, 403)
