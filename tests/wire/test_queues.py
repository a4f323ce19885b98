"""Queues as public JSON: what clients read strictly."""

import pytest

from mainspring.wire import queues
from mainspring.wire.calls import Queue


@pytest.mark.parametrize("limit", [None, 3])
def test_a_queue_that_shows_its_own_limit_calls_itself_v1(limit: int | None) -> None:
    # clients refuse `concurrency` on a V2 queue, whose limits are named ones elsewhere
    shown = queues.queue(Queue("narrow", limit=limit, base_limit=limit))
    assert shown["version"] == "V1"
    assert shown["concurrencyLimit"] == limit
    assert shown["concurrency"] == {
        "current": limit,
        "base": limit,
        "override": None,
        "overriddenAt": None,
        "overriddenBy": None,
    }
