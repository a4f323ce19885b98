"""A key of `preview` opens its branches, which a header names, and nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from mainspring.app.keys import admit
from tests.server import test_whole
from tests.server.conftest import PEPPER
from tests.server.test_whole import Whole

make_store, whole = test_whole.make_store, test_whole.whole
KEY = "tr_preview_sk_" + "p" * 24
BRANCHES = "/api/mainspring/v1/branches"
ONE = "/api/mainspring/v1/environment"


@pytest.fixture
async def preview(whole: Whole) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key of preview."""
    await admit(whole.house.engine, PEPPER, KEY)
    async with whole._client(KEY) as client:
        yield client


async def test_a_branch_is_made_opened_limited_and_archived(
    whole: Whole, preview: httpx2.AsyncClient
) -> None:
    made = await preview.post(BRANCHES, json={"branch": "Feature/Login"})
    assert made.json()["name"] == "preview-feature-login"
    assert (await preview.get(BRANCHES)).json() == {"data": ["preview-feature-login"]}
    there = {"x-trigger-branch": "Feature/Login"}
    for headers in (there, {"x-mainspring-environment": "preview-feature-login"}):
        found = (await preview.get(ONE, headers=headers)).json()
        assert (found["name"], found["concurrencyLimit"]) == ("preview-feature-login", None)
    limits = {"concurrencyLimit": 3, "burst": 2}
    changed = await preview.post(f"{ONE}/limits", json=limits, headers=there)
    assert (changed.json()["concurrencyLimit"], changed.json()["burst"]) == (3, 2)
    assert (await preview.get(ONE)).json()["concurrencyLimit"] is None
    held = await preview.post(f"{ONE}/pause", json={"action": "pause"}, headers=there)
    assert held.json()["paused"]
    variables = "/api/v1/projects/any/envvars/preview"
    await preview.post(variables, json={"name": "A", "value": "1"}, headers=there)
    assert [one["name"] for one in (await preview.get(variables, headers=there)).json()] == ["A"]
    assert (await preview.get(variables)).json() == []
    ended = await preview.post(f"{ONE}/archive", headers=there)
    assert ended.json()["name"].startswith("archived-")


async def test_nobody_else_opens_a_branch(whole: Whole, preview: httpx2.AsyncClient) -> None:
    await preview.post(BRANCHES, json={"branch": "x"})
    unknown = await preview.get(ONE, headers={"x-trigger-branch": "other"})
    assert unknown.status_code == 404
    assert "mainspring branches create" in unknown.json()["error"]
    for headers in ({"x-trigger-branch": "x"}, {"x-mainspring-environment": "preview-x"}):
        found = await whole.client.get(ONE, headers=headers)
        assert found.json()["name"] == "dev"  # the key has one environment and no branches
    assert (await whole.client.post(BRANCHES, json={"branch": "x"})).status_code == 400
    assert (await preview.get(ONE, headers={"x-trigger-branch": "/"})).status_code == 422


@pytest.mark.parametrize(
    "body, told",
    [
        ({}, "concurrencyLimit"),
        ({"concurrencyLimit": "3"}, "whole number or null"),
        ({"concurrencyLimit": True}, "whole number or null"),
        ({"burst": None}, "must be a number"),
        ({"burst": 0}, "1 to 100"),
        ([], "concurrencyLimit"),
    ],
)
async def test_limits_that_cannot_be_are_refused(whole: Whole, body: object, told: str) -> None:
    answer = await whole.client.post(f"{ONE}/limits", json=body)
    assert answer.status_code in (400, 422)
    assert told in answer.json()["error"]
