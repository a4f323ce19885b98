"""How many requests one key may make."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from mainspring.clock import ManualClock
from mainspring.errors import RateLimited
from mainspring.server.budget import Budget
from mainspring.settings import ServerSettings
from tests.server.conftest import OTHER_KEY, Served


@pytest.fixture
def server_settings() -> ServerSettings:
    return ServerSettings(port=0, drain_s=1, requests_per_s=3)


async def test_a_key_over_its_budget_is_told_when_to_repeat(
    served: Served, clock: ManualClock
) -> None:
    answers = [await served.client.get("/api/v1/queues") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ratelimit-limit"] == "3"
    assert refused.headers["x-should-retry"] == "true"
    other = {"authorization": f"Bearer {OTHER_KEY}"}
    assert (await served.client.get("/api/v1/queues", headers=other)).status_code == 200
    clock.advance(334)
    assert (await served.client.get("/api/v1/queues")).status_code == 200
    assert (await served.client.get("/api/v1/queues")).status_code == 429


@given(st.integers(1, 50), st.lists(st.integers(0, 400), min_size=1, max_size=200))
def test_no_second_has_more_than_two_budgets_and_a_quiet_caller_always_gets_in(
    per_s: int, pauses: list[int]
) -> None:
    clock = ManualClock()
    budget = Budget(per_s, clock)
    taken: list[float] = []
    for pause in pauses:
        clock.advance(pause)
        try:
            budget.spend("caller")
        except RateLimited as error:
            wait_s = error.details["retry_after_s"]
            assert 0 < wait_s <= 1 / per_s + 1e-6
        else:
            taken.append(clock.monotonic())
    for at in taken:
        assert sum(at <= other < at + 1 for other in taken) <= 2 * per_s
    clock.advance(1000)
    for _ in range(per_s):
        budget.spend("caller")
