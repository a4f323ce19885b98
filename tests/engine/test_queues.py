"""Queues as people look at them: how deep, by which keys, and who waits longest."""

import pytest

from mainspring.errors import NotFound
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.wire import calls
from tests.engine.house import House, request

SHARED = TaskSpec("shared", "mail")


async def test_a_queue_tells_its_keys_and_who_waits_longest(house: House) -> None:
    house.worker(SHARED, queues=[QueueSpec("mail", limit=1)], slots=10, inside=True)
    began = house.clock.now()
    for keyed, count in (({"concurrency_key": "ann"}, 3), ({"concurrency_key": "bob"}, 2), ({}, 1)):
        await house.batch([request(n, "shared", **keyed) for n in range(count)])
        await house.advance(1000)
    found: calls.KeyList = await house.ask(calls.ListKeys("mail"))
    assert [(one.key, one.queued, one.running, one.limit) for one in found.keys] == [
        ("ann", 2, 1, 1),
        ("bob", 1, 1, 1),
        ("", 0, 1, 1),
    ]
    assert [one.oldest_at for one in found.keys] == [began, began + 1000, None]
    (queue,) = [one for one in (await house.ask(calls.ListQueues())).queues if one.name == "mail"]
    assert (queue.queued, queue.running, queue.oldest_at) == (3, 3, began)
    first = await house.ask(calls.ListKeys("mail", limit=1))
    assert ([one.key for one in first.keys], first.more) == (["ann"], True)


async def test_a_queue_that_is_not_there_has_no_keys_to_tell(house: House) -> None:
    house.worker(SHARED, queues=[QueueSpec("mail")])
    assert (await house.ask(calls.ListKeys("mail"))).keys == []
    with pytest.raises(NotFound, match="'nothing'"):
        await house.ask(calls.ListKeys("nothing"))
