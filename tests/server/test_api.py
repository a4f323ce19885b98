"""The public routes: what a request asks the engine, and what it is answered."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from mainspring.errors import Conflict, NotFound, RateLimited, StoreUnavailable, UnknownTask
from mainspring.model.run import (
    PAYLOAD_LIMIT,
    Run,
    RunError,
    RunFilter,
    RunPage,
    Status,
    TriggerAnswer,
)
from mainspring.wire import calls
from mainspring.wire.operating import InspectRun, RunDetail
from tests.server.conftest import KEY, Served, TableEngine

NOW = 1_700_000_000_000
CURRENT = {"x-trigger-api-version": "2025-07-16"}


async def test_a_trigger_asks_for_one_run_and_answers_its_id(served: Served) -> None:
    response = await served.client.post(
        "/api/v1/tasks/mail%2Fsend/trigger",
        json={"payload": {"to": "a"}, "options": {"tags": "x", "delay": "10s"}},
        headers={"x-trigger-request-idempotency-key": "uuid"},
    )
    assert response.status_code == 200
    (asked,) = served.engine.asked
    (request,) = asked.requests
    assert request.task == "mail/send"
    assert request.payload == '{"to":"a"}'
    assert request.options.tags == ("x",)
    assert request.options.delay_ms == 10_000
    assert len(request.options.request_key) == 64
    assert response.json() == {"id": response.json()["id"], "isCached": False}
    assert response.json()["id"].startswith("run_")


async def test_a_cached_run_says_so(served: Served) -> None:
    served.engine.answers[calls.Trigger] = calls.Triggered([TriggerAnswer("run_1", cached=True)])
    response = await served.client.post("/api/v1/tasks/t/trigger", json={})
    assert response.json() == {"id": "run_1", "isCached": True}


async def test_sdks_that_cannot_do_without_get_a_public_token(served: Served) -> None:
    sdk = {"trigger-version": "4.8.3"}
    batch = {"items": [{"task": "t"}]}
    for path, body in (("/api/v1/tasks/t/trigger", {}), ("/api/v2/tasks/batch", batch)):
        plain = await served.client.post(path, json=body)
        assert "x-trigger-jwt" not in plain.headers
        response = await served.client.post(path, json=body, headers=sdk)
        head, claims, _ = response.headers["x-trigger-jwt"].split(".")
        found = [
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            for part in (head, claims)
        ]
        assert found[0] == {"alg": "HS256"}
        assert (found[1]["sub"], found[1]["pub"]) == ("env_1", True)
        assert found[1]["exp"] - found[1]["iat"] == 3600
        assert response.json()["id"] in found[1]["scopes"][0]
        bearer = {"authorization": f"Bearer {response.headers['x-trigger-jwt']}"}
        assert found[1]["key"] == f"key_{KEY[-6:]}"
        offered = json.loads(response.headers["x-trigger-jwt-claims"])
        assert offered == {"sub": "env_1", "pub": True}
        refused = await served.client.get("/api/v3/runs/run_1", headers=bearer)
        assert refused.status_code == 403


async def test_a_task_whose_name_is_a_word_of_a_path_is_still_a_task(served: Served) -> None:
    for name in ("batch", "trigger", "a b", "ü", "%252F"):
        await served.client.post(f"/api/v1/tasks/{name}/trigger", json={})
    tasks = [asked.requests[0].task for asked in served.engine.asked]
    assert tasks == ["batch", "trigger", "a b", "ü", "%2F"]


async def test_the_parent_of_a_triggered_run_must_exist(served: Served) -> None:
    body = {"options": {"parentRunId": "run_p"}}
    await served.client.post("/api/v1/tasks/t/trigger", json=body)
    assert [type(asked).__name__ for asked in served.engine.asked] == ["Retrieve", "Trigger"]
    assert served.engine.parents[-1] == "run_p"
    served.engine.answers[calls.Retrieve] = NotFound("No run.")
    response = await served.client.post("/api/v1/tasks/t/trigger", json=body)
    assert response.status_code == 404


@pytest.mark.parametrize(
    "path, task", [("/api/v2/tasks/batch", "a"), ("/api/v1/tasks/t/batch", "t")]
)
async def test_a_batch_is_one_request_with_one_batch_id(
    served: Served, path: str, task: str
) -> None:
    body = {"items": [{"task": "a", "payload": n} for n in range(3)]}
    response = await served.client.post(path, json=body)
    assert response.status_code == 202
    (asked,) = served.engine.asked
    assert [(r.task, r.payload) for r in asked.requests] == [(task, str(n)) for n in range(3)]
    answer = response.json()
    assert asked.as_batch
    assert answer["id"] == "batch_1"
    assert answer["runCount"] == 3
    assert [run["isCached"] for run in answer["runs"]] == [False] * 3


async def test_a_run_is_shown_with_its_relatives(served: Served) -> None:
    run, parent, root = (
        Run(id_, "t", status, "q", 1, NOW)
        for id_, status in (
            ("run_c", Status.EXECUTING),
            ("run_p", Status.WAITING),
            ("run_r", Status.WAITING),
        )
    )
    served.engine.answers[InspectRun] = RunDetail(run, root, parent, [run])
    response = await served.client.get("/api/v3/runs/run_c", headers=CURRENT)
    shown = response.json()
    assert shown["status"] == "EXECUTING"
    around = shown["relatedRuns"]
    assert (around["root"]["id"], around["parent"]["id"]) == ("run_r", "run_p")
    assert [child["id"] for child in around["children"]] == ["run_c"]
    assert around["root"]["status"] == "WAITING"
    assert served.engine.asked == [InspectRun("run_c")]


async def test_a_relative_that_is_gone_is_left_out(served: Served) -> None:
    run = Run("run_c", "t", Status.COMPLETED, "q", 1, NOW, parent_id="run_p", root_id="run_p")

    def answer(asked: Any, env: Any) -> Run:
        if asked.run_id != "run_c":
            raise NotFound("No run.")
        return run

    served.engine.answers[calls.Retrieve] = answer
    shown = (await served.client.get("/api/v3/runs/run_c")).json()
    assert shown["relatedRuns"] == {}


async def test_older_clients_get_older_words(served: Served) -> None:
    served.engine.answers[calls.Retrieve] = Run("run_1", "t", Status.DEQUEUED, "q", 1, NOW)
    assert (await served.client.get("/api/v3/runs/run_1")).json()["status"] == "EXECUTING"
    response = await served.client.get("/api/v3/runs/run_1", headers=CURRENT)
    assert response.json()["status"] == "DEQUEUED"


async def test_a_list_carries_filters_there_and_cursors_back(served: Served) -> None:
    runs = [Run("run_1", "t", Status.QUEUED, "q", 1, NOW)]
    served.engine.answers[calls.ListRuns] = RunPage(runs, next="run_1")
    response = await served.client.get(
        "/api/v1/runs?filter%5Bstatus%5D=QUEUED,FAILED&filter[tag]=a&filter[tag]=b&page%5Bsize%5D=1"
    )
    (asked,) = served.engine.asked
    assert asked.filter == RunFilter(status=(Status.QUEUED, Status.FAILED), tag=("a", "b"), limit=1)
    page = response.json()
    assert page["pagination"] == {"next": "run_1"}
    assert page["data"][0]["env"] == {"id": "env_1", "name": "dev"}
    assert "relatedRuns" not in page["data"][0]


async def test_a_bad_query_is_a_400_that_lists_everything(served: Served) -> None:
    response = await served.client.get("/api/v1/runs?filter[status]=DONE&page[size]=0")
    assert response.status_code == 400
    assert [problem["path"] for problem in response.json()["details"]] == ["filter[status]", "page"]
    response = await served.client.get("/api/v1/runs?" + "&".join(f"a{n}=1" for n in range(200)))
    assert response.status_code == 400


@pytest.mark.parametrize(
    "path, body, asked, answer",
    [
        ("/api/v2/runs/run_1/cancel", None, calls.CancelRun("run_1"), {"id": "run_1"}),
        ("/api/v1/runs/run_1/replay", None, calls.ReplayRun("run_1"), None),
        ("/api/v1/runs/run_1/replay", {"payload": '{"a": 1}'},
         calls.ReplayRun("run_1", '{"a":1}'), None),
        ("/api/v1/runs/run_1/replay",
         {"payload": '{"json":{"a":"1"},"meta":{"values":{"a":["bigint"]}}}',
          "payloadType": "application/super+json"}, calls.ReplayRun("run_1", '{"a":1}'), None),
        ("/api/v1/runs/run_1/reschedule", {"delay": "1h"},
         calls.RescheduleRun("run_1", 3_600_000), None),
        ("/api/v1/runs/run_1/tags", {"tags": ["a", "b", "a"]}, calls.AddTags("run_1", ("a", "b")),
         {"message": "Successfully set 2 new tags."}),
        ("/api/v1/idempotencyKeys/a%2Fb/reset", {"taskIdentifier": "t"},
         calls.ResetKey("t", "a/b"), {"id": "a/b"}),
    ],
)  # fmt: skip
async def test_what_may_be_done_to_a_run(
    served: Served, path: str, body: Any, asked: Any, answer: Any
) -> None:
    response = await served.client.post(path, json=body) if body else await served.client.post(path)
    assert response.status_code == 200, response.text
    assert served.engine.asked[0] == asked
    assert len(served.engine.asked) == 1 or path.endswith("reschedule")
    assert answer is None or response.json() == answer
    assert response.json().get("id", "run_").startswith(("run_", "a/b"))


@pytest.mark.parametrize(
    "path, body, status",
    [
        ("/api/v1/runs/run_1/replay", {"payloud": "1"}, 400),
        ("/api/v1/runs/run_1/replay", {"tags": 7}, 400),
        ("/api/v1/runs/run_1/replay", {"payload": "{"}, 422),
        ("/api/v1/runs/run_1/replay", [], 400),
        ("/api/v1/runs/run_1/reschedule", {"delay": "soon"}, 400),
        ("/api/v1/runs/run_1/reschedule", {}, 400),
        ("/api/v1/runs/run_1/tags", {"tags": [str(n) for n in range(11)]}, 422),
        ("/api/v1/runs/run_1/tags", {}, 400),
        ("/api/v1/idempotencyKeys/k/reset", {}, 400),
        ("/api/v1/tasks/t/trigger", {"options": {"delay": "soon"}}, 422),
        ("/api/v1/tasks/t/trigger", {"payload": "a\0"}, 422),
        ("/api/v1/tasks/t/trigger", {"options": {"gates": [{"queue": "q"}]}}, 501),
        ("/api/v2/tasks/batch", {"items": []}, 400),
    ],
)
async def test_a_bad_body_asks_nothing_of_the_engine(
    served: Served, path: str, body: Any, status: int
) -> None:
    response = await served.client.post(path, json=body)
    assert response.status_code == status
    assert served.engine.asked == []
    assert response.headers["x-should-retry"] == "false"
    assert isinstance(response.json()["error"], str)


async def test_empty_tags_add_nothing(served: Served) -> None:
    response = await served.client.post("/api/v1/runs/run_1/tags", json={"tags": [" "]})
    assert response.json() == {"message": "No new tags to add"}


async def test_a_result_exists_once_the_run_has_ended(served: Served) -> None:
    assert (await served.client.get("/api/v1/runs/run_1/result")).status_code == 404
    served.engine.answers[calls.Retrieve] = Run(
        "run_1", "t", Status.FAILED, "q", 1, NOW, error=RunError("no", "ValueError", "trace")
    )
    response = await served.client.get("/api/v1/runs/run_1/result")
    assert response.json() == {
        "ok": False,
        "id": "run_1",
        "error": {
            "type": "BUILT_IN_ERROR", "name": "ValueError", "message": "no", "stackTrace": "trace",
        },
        "taskIdentifier": "t",
    }  # fmt: skip


async def test_queues_are_listed_by_number_and_found_by_every_name(served: Served) -> None:
    page = (await served.client.get("/api/v1/queues?perPage=1&page=2")).json()
    assert [queue["name"] for queue in page["data"]] == ["mail/send"]
    assert page["pagination"] == {"currentPage": 2, "totalPages": 2, "count": 2}
    id_ = page["data"][0]["id"]
    for path in (id_, "mail%252Fsend?type=task", "mail%2Fsend?type=task"):
        found = (await served.client.get(f"/api/v1/queues/{path}")).json()
        assert found["id"] == id_
    response = await served.client.get("/api/v1/queues/nope?type=custom")
    assert (response.status_code, response.json()["error"]) == (404, "queue-not-found")


async def test_queues_are_paused_resumed_and_limited(served: Served) -> None:
    path = "/api/v1/queues/mail%252Fout"
    for action, paused in (("pause", True), ("resume", False)):
        body = {"type": "custom", "action": action}
        response = await served.client.post(f"{path}/pause", json=body)
        assert response.json()["paused"] is paused
    body = {"type": "custom", "concurrencyLimit": 7}
    response = await served.client.post(f"{path}/concurrency/override", json=body)
    assert response.json()["concurrencyLimit"] == 7
    await served.client.post(f"{path}/concurrency/reset", json={"type": "custom"})
    changes = [a for a in served.engine.asked if not isinstance(a, calls.ListQueues)]
    assert changes == [
        calls.PauseQueue("mail/out", True),
        calls.PauseQueue("mail/out", False),
        calls.SetQueue("mail/out", 7),
        calls.SetQueue("mail/out", reset=True),
    ]
    for bad in ({"action": "stop"}, {}, []):
        assert (await served.client.post(f"{path}/pause", json=bad)).status_code == 400


@pytest.mark.parametrize(
    "error, status, retry",
    [
        (UnknownTask("No task 'x'."), 404, "false"),
        (Conflict("It has ended."), 400, "false"),
        (RateLimited("Slow down.", details={"retry_after_s": 2}), 429, "true"),
        (StoreUnavailable("secret place"), 503, "true"),
        (RuntimeError("secret bug"), 500, "false"),
    ],
)
async def test_errors_of_the_engine_become_answers(
    served: Served, error: Exception, status: int, retry: str
) -> None:
    served.engine.answers[calls.Retrieve] = error
    response = await served.client.get("/api/v3/runs/run_1", headers={"x-request-id": "mine"})
    assert response.status_code == status
    assert response.headers["x-should-retry"] == retry
    assert response.headers["x-request-id"] == "mine"
    assert "secret" not in response.text
    assert ("mine" in response.json()["error"]) == (status >= 500)


async def test_the_limit_of_a_payload_is_exact(served: Served) -> None:
    path = "/api/v1/tasks/t/trigger"
    fits = "x" * (PAYLOAD_LIMIT - 2)
    assert (await served.client.post(path, json={"payload": fits})).status_code == 200
    response = await served.client.post(path, json={"payload": fits + "x"})
    assert response.status_code == 413
    assert response.json()["code"] == "payload_too_large"
    text = json.dumps({"json": fits[:-20]})
    body = {"payload": text, "options": {"payloadType": "application/super+json"}}
    assert (await served.client.post(path, json=body)).status_code == 200


async def test_our_own_route_speaks_msgpack_both_ways(served: Served) -> None:
    async def call(request: calls.Request) -> Any:
        data = msgspec.msgpack.encode(request)
        response = await served.client.post("/api/mainspring/v1/call", content=data)
        assert response.headers["content-type"] == "application/msgpack"
        return msgspec.msgpack.decode(response.content, type=calls.RESPONSES[type(request)])

    run = await call(calls.Retrieve("run_1"))
    assert run == Run("run_1", "t", Status.QUEUED, "task/t", 1, NOW)
    requests = [msgspec.convert({"task": "t", "payload": "1"}, calls.TriggerRequest)]
    assert len((await call(calls.Trigger(requests))).answers) == 1
    assert (await call(calls.ListRuns(RunFilter()))).runs == []
    assert (await call(calls.AwaitRun("run_1", 1000))).id == "run_1"


async def test_our_own_route_answers_errors_as_json(served: Served) -> None:
    for data in (b"", b"\xc1", b"[" * 5000, msgspec.msgpack.encode({"type": "nothing"})):
        response = await served.client.post("/api/mainspring/v1/call", content=data)
        assert response.status_code == 400
        assert response.json()["code"] == "bad_request"
    served.engine.answers[calls.Retrieve] = NotFound("No run.", details={"near": []})
    data = msgspec.msgpack.encode(calls.Retrieve("x"))
    response = await served.client.post("/api/mainspring/v1/call", content=data)
    assert (response.status_code, response.json()) == (
        404, {"error": "No run.", "code": "not_found", "details": {"near": []}},
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {"run_id": "run_x"},
        {"run_id": "batch_0000000000010000000000"},
        {"run_id": "run_0000000000040000000000"},
        {"batch_id": "run_0000000000010000000000"},
        {"request_key": "x" * 129},
        {"idempotency_shown": "a\0"},
        {"machine": "huge"},
    ],
)
async def test_our_own_route_trusts_no_id_and_no_text(served: Served, options: Any) -> None:
    request = {"type": "trigger", "requests": [{"task": "t", "options": options}]}
    data = msgspec.msgpack.encode(request)
    response = await served.client.post("/api/mainspring/v1/call", content=data)
    assert (response.status_code, served.engine.asked) == (422, [])


async def test_whose_child_a_run_is_the_engine_decides(served: Served) -> None:
    options = {"root_id": "run_x", "depth": 9, "run_id": "run_0000000000010000000000"}
    request = {"type": "trigger", "requests": [{"task": "t", "options": options}]}
    data = msgspec.msgpack.encode(request)
    response = await served.client.post("/api/mainspring/v1/call", content=data)
    assert response.status_code == 200
    found = served.engine.asked[0].requests[0].options
    assert (found.root_id, found.depth) == (None, 0)
    assert found.run_id == "run_0000000000010000000000"


async def test_health_needs_no_key(served: Served, engine: TableEngine) -> None:
    served.client.headers.pop("authorization")
    assert (await served.client.get("/healthz")).json() == {"status": "ok"}
    assert (await served.client.get("/readyz")).status_code == 200
    engine.ready = False
    assert (await served.client.get("/readyz")).status_code == 503
    assert (await served.client.get("/healthz")).status_code == 200
