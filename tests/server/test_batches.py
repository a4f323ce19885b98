"""Batches over HTTP: two phases, streams of lines, what is refused, and what is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest

from mainspring.wire import batches
from mainspring.wire.worker import Execute
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "whole"]
NDJSON = {"content-type": "application/x-ndjson"}


def lines(*items: Any) -> bytes:
    """Lines of a stream; what is a number is an item of the usual task."""
    whole_items = [
        {"index": i, "task": "work", "payload": i} if isinstance(i, int) else i for i in items
    ]
    return b"".join(
        (item.encode() if isinstance(item, str) else json.dumps(item).encode()) + b"\n"
        for item in whole_items
    )


async def create(whole: Whole, count: int, status: int = 202, **fields: Any) -> Any:
    return await whole.post("/api/v3/batches", {"runCount": count, **fields}, status)


async def fill(whole: Whole, batch_id: str, body: Any, status: int = 200) -> Any:
    response = await whole.client.post(
        f"/api/v3/batches/{batch_id}/items", content=body, headers=NDJSON
    )
    assert response.status_code == status, response.text
    return response.json()


async def test_a_batch_goes_through_both_phases_to_its_end(whole: Whole) -> None:
    worker = await whole.worker()
    made = await create(whole, 2, taskIdentifiers=["work"])
    assert msgspec.convert(made, batches.BatchCreated, strict=True).is_cached is False
    batch_id = made["id"]
    pending = await whole.get(f"/api/v2/batches/{batch_id}")
    assert (pending["status"], pending["runs"]) == ("PENDING", [])
    assert pending["processing"] == {"errors": []}
    told = await fill(whole, batch_id, lines(0, 1))
    assert told == {
        "id": batch_id, "itemsAccepted": 2, "itemsDeduplicated": 0, "sealed": True, "runCount": 2,
    }  # fmt: skip
    found = await whole.get(f"/api/v2/batches/{batch_id}")
    msgspec.convert(found, batches.ShownBatch, strict=True)
    assert (found["status"], found["runCount"], len(found["runs"])) == ("PROCESSING", 2, 2)
    assert "completedAt" in found["processing"]
    assert (await whole.get(f"/api/v1/batches/{batch_id}/results")) == {"id": batch_id, "items": []}
    for n in range(2):
        order = await worker.next(Execute)
        await worker.finish(order, output=str(n))
    await worker.durable()
    assert (await whole.get(f"/api/v1/batches/{batch_id}"))["status"] == "COMPLETED"
    results = await whole.get(f"/api/v1/batches/{batch_id}/results")
    assert [item["id"] for item in results["items"]] == found["runs"]
    assert [item["ok"] for item in results["items"]] == [True, True]
    assert {item["output"] for item in results["items"]} == {"0", "1"}
    again = await fill(whole, batch_id, lines(0, 1))
    assert (again["sealed"], again["itemsAccepted"], again["itemsDeduplicated"]) == (True, 0, 2)
    page = await whole.get(f"/api/v1/runs?filter[batch]={batch_id}")
    assert {run["id"] for run in page["data"]} == set(found["runs"])


async def test_missing_items_leave_a_batch_open_and_say_how_many(whole: Whole) -> None:
    (await whole.worker()).orders.clear()
    batch_id = (await create(whole, 3))["id"]
    told = await fill(whole, batch_id, lines(0, 2))
    assert (told["sealed"], told["enqueuedCount"], told["expectedCount"]) == (False, 2, 3)
    told = await fill(whole, batch_id, lines(0, 1, 2))
    assert (told["sealed"], told["itemsAccepted"], told["itemsDeduplicated"]) == (True, 1, 2)
    assert "enqueuedCount" not in told
    empty = await fill(whole, batch_id, b"")
    assert empty["sealed"]


async def test_a_body_is_read_as_it_comes_however_it_is_cut(whole: Whole) -> None:
    await whole.worker()
    text = "é" * 3000
    batch_id = (await create(whole, 3))["id"]
    body = lines(*({"index": n, "task": "work", "payload": text + str(n)} for n in range(3)))
    body = b"\n \r\n" + body.replace(b"\n", b"\r\n").rstrip()

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 1009):
            yield body[at : at + 1009]
            await asyncio.sleep(0)

    assert (await fill(whole, batch_id, parts()))["sealed"]
    found = await whole.get(f"/api/v2/batches/{batch_id}")
    runs = [await whole.run(run_id) for run_id in found["runs"]]
    assert [run["payload"] for run in runs] == [text + str(n) for n in range(3)]
    assert {run["batchId"] for run in runs} == {batch_id}


@pytest.mark.parametrize(
    "line, status, told",
    [
        ("{", 400, "line 3 is not valid JSON"),
        ("[1]", 422, "Line 3: index must be a whole number"),
        ({"index": -1, "task": "work"}, 422, "Line 3: index"),
        ({"index": True, "task": "work"}, 422, "Line 3: index"),
        ({"index": 1.5, "task": "work"}, 422, "Line 3: index"),
        ({"index": 1}, 422, "Line 3: task"),
        ({"index": 1, "task": 7}, 422, "Line 3: task"),
        ({"index": 1, "task": "work", "options": []}, 422, "Line 3, index 1: options"),
        (
            {"index": 1, "task": "work", "options": {"maxAttempts": "5"}},
            422,
            "Line 3, index 1: options.maxAttempts",
        ),
        ({"index": 1, "task": "work", "options": {"tags": 5}}, 422, "options.tags"),
        ({"index": 9, "task": "work"}, 422, "index 9 is not of batch"),
        (
            {"index": 1, "task": "work", "options": {"gates": [{"queue": "q"}]}},
            501,
            "options.gates",
        ),
    ],
)
async def test_a_line_that_is_no_item_is_named_and_what_came_before_it_stays(
    whole: Whole, line: Any, status: int, told: str
) -> None:
    await whole.worker()
    batch_id = (await create(whole, 4))["id"]
    refused = await fill(whole, batch_id, lines(0, "", line, 2), status)
    assert told in refused["error"]
    after = await fill(whole, batch_id, lines(0, 1, 2, 3))
    assert after["sealed"]
    assert after["itemsDeduplicated"] in (0, 1)  # 0 where the bad index came in one piece with it
    page = await whole.get(f"/api/v1/runs?filter[batch]={batch_id}")
    assert len(page["data"]) == 4


async def test_an_item_that_cannot_be_triggered_is_an_error_of_the_batch(whole: Whole) -> None:
    await whole.worker()
    batch_id = (await create(whole, 5))["id"]
    bad = [
        {"index": 1, "task": "nobody"},
        {"index": 2, "task": "mail/send", "payload": {"id": "x"}},
        {"index": 3, "task": "work", "options": {"tags": [str(n) for n in range(11)]}},
        {"index": 4, "task": "work", "payload": "x" * 3_200_000},
    ]
    told = await fill(whole, batch_id, lines(0, *bad))
    assert (told["itemsAccepted"], told["sealed"]) == (5, True)
    found = await whole.get(f"/api/v2/batches/{batch_id}")
    assert (found["status"], len(found["runs"])) == ("PARTIAL_FAILED", 1)
    errors = found["processing"]["errors"]
    assert [(error["index"], error["taskIdentifier"], error["errorCode"]) for error in errors] == [
        (1, "nobody", "UNKNOWN_TASK"),
        (2, "mail/send", "INVALID_PAYLOAD"),
        (3, "work", "INVALID_OPTIONS"),
        (4, "work", "PAYLOAD_TOO_LARGE"),
    ]
    assert "options.tags" in errors[2]["error"]


async def test_a_line_that_is_too_long_is_an_error_of_the_batch(whole: Whole) -> None:
    await whole.worker()
    batch_id = (await create(whole, 2))["id"]
    huge = '{"index": 0, "task": "work", "payload": "' + "x" * 8_000_000 + '"}'
    assert (await fill(whole, batch_id, lines(huge, 1)))["sealed"]
    found = await whole.get(f"/api/v2/batches/{batch_id}")
    assert [e["errorCode"] for e in found["processing"]["errors"]] == ["PAYLOAD_TOO_LARGE"]
    refused = await fill(whole, batch_id, lines("[" + "1," * 4_000_000 + "1]"), 413)
    assert refused["code"] == "payload_too_large"


async def test_a_batch_of_items_that_all_fail_is_aborted(whole: Whole) -> None:
    batch_id = (await create(whole, 1))["id"]
    await fill(whole, batch_id, lines({"index": 0, "task": "nobody"}))
    assert (await whole.get(f"/api/v2/batches/{batch_id}"))["status"] == "ABORTED"


async def test_other_types_of_bodies_are_refused(whole: Whole) -> None:
    batch_id = (await create(whole, 1))["id"]
    path = f"/api/v3/batches/{batch_id}/items"
    for headers in ({"content-type": "application/json"}, {}):
        response = await whole.client.post(path, content=lines(0), headers=headers)
        assert response.status_code == 415
        assert response.headers["x-should-retry"] == "false"
    for kind in ("application/ndjson", "application/x-ndjson; charset=utf-8"):
        response = await whole.client.post(path, content=b"", headers={"content-type": kind})
        assert response.status_code == 200


@pytest.mark.parametrize(
    "body, status",
    [
        ({}, 400),
        ({"runCount": 0}, 400),
        ({"runCount": 1001}, 400),
        ({"runCount": "3"}, 400),
        ({"runCount": 1, "taskIdentifiers": "work"}, 400),
        ({"runCount": 1, "idempotencyKey": "k" * 2049}, 422),
        ({"runCount": 1, "idempotencyKeyOptions": {"scope": "other"}}, 422),
        ({"runCount": 1, "parentRunId": "run_unknown"}, 404),
        ({"runCount": 1, "resumeParentOnCompletion": True}, 501),
        ([], 400),
    ],
)
async def test_a_batch_that_makes_no_sense_is_refused(whole: Whole, body: Any, status: int) -> None:
    refused = await whole.post("/api/v3/batches", body, status)
    assert refused["error"]


async def test_unknown_and_foreign_batches_are_not_found(whole: Whole) -> None:
    batch_id = (await create(whole, 1))["id"]
    for path in (f"/api/v2/batches/{batch_id}", f"/api/v1/batches/{batch_id}/results"):
        assert (await whole.foreign.get(path)).status_code == 404
    foreign = await whole.foreign.post(
        f"/api/v3/batches/{batch_id}/items", content=lines(0), headers=NDJSON
    )
    assert foreign.status_code == 404
    await whole.get("/api/v2/batches/batch_unknown", 404)


async def test_a_lost_answer_is_given_again(whole: Whole) -> None:
    """Both phases, and triggers, are repeated with the key of the request they repeat."""
    await whole.worker()

    async def twice(path: str, body: Any, **headers: str) -> list[httpx2.Response]:
        headers = {"x-trigger-request-idempotency-key": "uuid-1", **headers}
        return [await whole.client.post(path, json=body, headers=headers) for _ in range(2)]

    first, second = await twice("/api/v3/batches", {"runCount": 1})
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert second.json()["isCached"] is False
    first, second = await twice("/api/v1/tasks/work/trigger", {"payload": 1})
    assert first.json() == second.json() == {"id": first.json()["id"], "isCached": False}
    items = {"items": [{"task": "work", "payload": n} for n in range(3)]}
    first, second = await twice("/api/v2/tasks/batch", items)
    assert first.json() == second.json()
    assert len((await whole.get("/api/v1/runs"))["data"]) == 4


async def test_a_key_of_a_batch_makes_one_batch(whole: Whole) -> None:
    await whole.worker()
    fields = {
        "idempotencyKey": "a" * 64,
        "idempotencyKeyOptions": {"key": "mine", "scope": "global"},
    }
    made = await create(whole, 1, **fields)
    assert (made["isCached"], made["idempotencyKey"]) == (False, "a" * 64)
    assert (await create(whole, 1, **fields))["isCached"] is False  # its items are not in yet
    await fill(whole, made["id"], lines(0))
    cached = await create(whole, 1, status=200, **fields)
    assert (cached["id"], cached["isCached"], cached["runCount"]) == (made["id"], True, 1)
    assert (await whole.get(f"/api/v2/batches/{made['id']}"))["idempotencyKey"] == "mine"


async def test_the_older_batch_is_a_batch_too(whole: Whole) -> None:
    await whole.worker()
    body = {"items": [{"payload": 1}, {"payload": 2, "options": {"idempotencyKey": "k"}}]}
    made = await whole.post("/api/v1/tasks/work/batch", body, 202)
    assert (made["runCount"], [run["isCached"] for run in made["runs"]]) == (2, [False, False])
    found = await whole.get(f"/api/v2/batches/{made['id']}")
    assert found["runs"] == [run["id"] for run in made["runs"]]
    assert found["status"] == "PROCESSING"


async def test_sdks_get_tokens_for_their_batches(whole: Whole) -> None:
    sdk = {"trigger-version": "4.8.3"}
    plain = await whole.client.post("/api/v3/batches", json={"runCount": 1})
    assert "x-trigger-jwt" not in plain.headers
    for more, scopes in (({}, 1), ({"x-trigger-client": "browser"}, 2)):
        response = await whole.client.post(
            "/api/v3/batches", json={"runCount": 1}, headers=sdk | more
        )
        token = response.headers["x-trigger-jwt"]
        assert "x-trigger-jwt-claims" in response.headers
        bearer = {"authorization": f"Bearer {token}"}
        path = f"/api/v2/batches/{response.json()['id']}"
        assert (await whole.client.get(path, headers=bearer)).status_code == 200
        filled = await whole.client.post(
            f"/api/v3/batches/{response.json()['id']}/items",
            content=b"",
            headers=bearer | NDJSON,
        )
        assert filled.status_code == (200 if scopes == 2 else 403)
