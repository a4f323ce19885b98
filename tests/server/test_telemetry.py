"""Metrics, lines and groups of failed runs over HTTP, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.model.run import RunError
from mainspring.server.api import telemetry
from mainspring.wire.worker import Execute, LogLine, Logs
from tests.server.test_operations import GIVEN, Api
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "whole"]
GIVEN |= {(route.method, route.path): route for route in telemetry.ROUTES}
ROOT = "/api/mainspring/v1"
FAILED = RunError("no card 7", "CardError", stack='  File "/x/pay.py", line 3, in charge\n')


@pytest.fixture
def api(whole: Whole) -> Api:
    return Api(whole)


async def failed(whole: Whole) -> str:
    """A run that has said two lines and failed."""
    worker = await whole.worker()
    run_id = await whole.trigger(maxAttempts=1)
    order = await worker.next(Execute)
    at = whole.house.clock.now()
    lines = [
        LogLine(run_id, at, "info", "Card taken", '{"n":7}'),
        LogLine(run_id, at, "error", "!"),
    ]
    await worker.send(Logs(lines))
    await worker.finish(order, "failed", error=FAILED)
    await worker.durable()
    return run_id


async def test_a_metric_is_read_over_time(whole: Whole, api: Api) -> None:
    await failed(whole)
    listed = await api("GET", f"{ROOT}/metrics")
    assert "runs.ended" in {metric["name"] for metric in listed["metrics"]}
    path = f"{ROOT}/metrics/{{metric}}"
    found = await api("GET", path, "runs.ended", by="status,task", where="status:failed")
    [series] = found["series"]
    assert series["labels"] == {"status": "failed", "task": "work"}
    assert [point["total"] for point in series["points"]] == [1]
    for query, words, status in (
        ("where=status", "label:value", 400),
        ("step=x", "step", 400),
        ("from=9&to=3", "before", 422),
    ):
        path = f"{ROOT}/metrics/runs.ended?{query}"
        assert words in await api.refused("GET", path, None, status)
    assert "no.such" in await api.refused("GET", f"{ROOT}/metrics/no.such", None, 404)
    assert (await whole.foreign.get(f"{ROOT}/metrics/runs.ended")).json()["series"] == []


async def test_lines_are_found_and_counted(whole: Whole, api: Api) -> None:
    run_id = await failed(whole)
    found = await api("GET", f"{ROOT}/logs", text="card")
    assert [(line["runId"], line["data"]) for line in found["data"]] == [(run_id, {"n": 7})]
    own: Any = await api("GET", f"{ROOT}/runs/{{run}}/logs", run_id, limit=1)
    assert [line["message"] for line in own["data"]] == ["Card taken"]
    after = own["pagination"]["next"]
    rest = await api("GET", f"{ROOT}/runs/{{run}}/logs", run_id, after=after)
    assert [line["message"] for line in rest["data"]] == ["!"]
    for query in ({}, {"text": "a"}):
        counted = await api("GET", f"{ROOT}/logs/counts", task="work", **query)
        errors = 0 if query else 1
        assert [(one["info"], one["error"]) for one in counted["buckets"]] == [(1, errors)]
    assert (await whole.foreign.get(f"{ROOT}/logs")).json()["data"] == []
    await api.refused("GET", f"{ROOT}/logs?level=loud", None, 422)


async def test_failures_that_are_alike_are_marked(whole: Whole, api: Api) -> None:
    await failed(whole)
    [group] = (await api("GET", f"{ROOT}/errors"))["data"]
    assert (group["name"], group["place"], group["status"]) == (
        "CardError",
        "pay.py, in charge",
        "new",
    )
    one = f"{ROOT}/errors/{{error}}"
    for verb, status in (("resolve", "resolved"), ("mute", "muted"), ("reopen", "new")):
        assert (await api("POST", f"{one}/{verb}", group["id"]))["status"] == status
        assert (await api("GET", one, group["id"]))["status"] == status
        listed = await api("GET", f"{ROOT}/errors", status=status, task="work")
        assert [found["id"] for found in listed["data"]] == [group["id"]]
    assert (await whole.foreign.get(f"{ROOT}/errors/{group['id']}")).status_code == 404
    await api.refused("GET", f"{ROOT}/errors?status=odd", None, 422)
