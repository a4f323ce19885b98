"""Metadata: changed by the code of runs and by people, in order, each change once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mainspring.errors import InvalidOptions, NotFound, PayloadTooLarge
from mainspring.model.limits import METADATA_LIMIT
from mainspring.wire import calls
from mainspring.wire.worker import Fenced, Op
from tests.engine.durable import change, started
from tests.engine.house import House


def op(kind: str, path: str, value: Any = None, target: str = "self") -> Op:
    return Op(kind, path, None if kind == "delete" else json.dumps(value), target)


async def update(house: House, run_id: str, *ops: Op) -> Any:
    run = await house.ask(calls.UpdateMetadata(run_id, list(ops)))
    return json.loads(run.metadata or "null")


async def metadata(house: House, run_id: str) -> Any:
    await house.settle()
    return json.loads((await house.run(run_id)).metadata or "null")


async def warnings(house: House, run_id: str) -> list[str]:
    await house.settle()
    page = await house.ask(calls.ListLogs(run_id))
    return [line.message for line in page.lines if line.level == "warning"]


async def test_the_changes_of_a_run_are_applied_in_their_order(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker, metadata='{"a":1}')
    change(worker, run_id, op("set", "b", 2), op("increment", "a", 4))
    change(worker, run_id, op("increment", "a", -2), op("append", "log", "x"))
    change(worker, run_id, op("delete", "b"), op("append", "log", "y"))
    assert await metadata(house, run_id) == {"a": 3, "log": ["x", "y"]}


async def test_all_changes_of_a_turn_are_one_row_a_run(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    commits = len(house.faults.changes)
    for number in range(50):
        change(worker, run_id, op("append", "log", number))
    assert await metadata(house, run_id) == {"log": list(range(50))}
    (changes,) = [one for one in house.faults.changes[commits:] if one.document]
    assert len(changes.document) == 1


async def test_a_run_changes_the_metadata_of_its_parent_and_its_root(house: House) -> None:
    worker = house.worker()
    root = await started(house, worker)
    parent = await started(house, worker, parent=root)
    child = await started(house, worker, parent=parent)
    change(
        worker,
        child,
        op("set", "me", 1),
        op("increment", "children", 1, "parent"),
        op("append", "all", "child", "root"),
    )
    change(worker, parent, op("append", "all", "parent", "parent"))
    change(worker, root, op("increment", "alone", 1, "parent"), op("increment", "alone", 1, "root"))
    assert await metadata(house, child) == {"me": 1}
    assert await metadata(house, parent) == {"children": 1}
    assert await metadata(house, root) == {"all": ["child", "parent"], "alone": 2}


async def test_children_of_one_turn_all_count(house: House) -> None:
    worker = house.worker(slots=30)
    parent = await started(house, worker)
    children = [await started(house, worker, parent=parent) for _ in range(20)]
    for child in children:
        change(worker, child, op("increment", "done", 1, "parent"))
    assert await metadata(house, parent) == {"done": 20}


async def test_an_ended_parent_is_changed_all_the_same(house: House) -> None:
    worker = house.worker()
    parent = await started(house, worker)
    child = await started(house, worker, parent=parent)
    worker.finish(parent)
    await house.settle()
    change(worker, child, op("set", "late", True, "parent"))
    assert await metadata(house, parent) == {"late": True}


async def test_an_attempt_that_is_over_changes_nothing(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    change(worker, run_id, op("set", "a", 1), epoch=7)
    assert await metadata(house, run_id) is None
    assert [order.epoch for order in worker.took(Fenced)] == [7]


async def test_changes_before_the_end_in_the_same_frame_count(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    house.faults.open.clear()
    change(worker, run_id, op("set", "a", 1))
    worker.finish(run_id)
    house.faults.open.set()
    assert await metadata(house, run_id) == {"a": 1}


@pytest.mark.parametrize("end", ["kept", "lost", "refused"])
async def test_a_doubtful_commit_counts_once(house: House, end: str) -> None:
    worker = house.worker()
    parent = await started(house, worker)
    run_id = await started(house, worker, parent=parent)
    house.faults.next.append(end)
    change(worker, run_id, op("increment", "n", 1), op("increment", "m", 1, "parent"))
    assert await metadata(house, run_id) == {"n": 1}
    assert await metadata(house, parent) == {"m": 1}


async def test_a_frame_that_comes_again_to_another_server_counts_once(house: House) -> None:
    worker = house.worker()
    parent = await started(house, worker)
    run_id = await started(house, worker, parent=parent)
    change(worker, run_id, op("increment", "n", 1), op("increment", "m", 1, "parent"))
    await house.settle()
    worker.acked = 0  # the server died after the commit, before it said so
    await house.crash()
    worker.connect()
    await house.settle()
    change(worker, run_id, op("increment", "n", 10))
    assert await metadata(house, run_id) == {"n": 11}
    assert await metadata(house, parent) == {"m": 1}


async def test_what_cannot_be_applied_is_left_out_and_told_in_the_log(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    change(worker, run_id, op("set", "a", "text"), op("increment", "a", 1), op("set", "b", 2))
    assert await metadata(house, run_id) == {"a": "text", "b": 2}
    assert await warnings(house, run_id) == ["metadata increment 'a': it is text, not a number."]


async def test_metadata_over_its_limit_is_left_out(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    change(worker, run_id, op("set", "a", 1))
    change(worker, run_id, op("set", "b", "x" * METADATA_LIMIT), op("set", "c", 3))
    assert await metadata(house, run_id) == {"a": 1, "c": 3}
    (line,) = await warnings(house, run_id)
    assert "262,144" in line


async def test_a_run_adds_tags_up_to_what_it_may_have(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker, tags=("a",))
    change(worker, run_id, tags=("b", "a"))
    change(worker, run_id, tags=("c",))
    await house.settle()
    assert (await house.run(run_id)).tags == ("a", "b", "c")
    change(worker, run_id, op("set", "m", 1), tags=tuple("defghijk"))
    change(worker, run_id, tags=("d",))
    await house.settle()
    run = await house.run(run_id)
    assert (run.tags, run.metadata) == (("a", "b", "c", "d"), '{"m":1}')
    (line,) = await warnings(house, run_id)
    assert "11 tags" in line


async def test_the_next_attempt_is_told_what_the_last_one_left(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await started(house, worker)
    change(worker, run_id, op("set", "a", 1), tags=("t",))
    worker.finish(run_id, outcome="failed")
    await house.settle()
    await house.advance(3_600_000)
    assert json.loads(worker.runs[run_id].metadata or "") == {"a": 1}
    assert worker.runs[run_id].tags == ("t",)


async def test_people_change_metadata_and_see_what_it_became(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    assert await update(house, run_id, op("set", "$.a.b", 1)) == {"a": {"b": 1}}
    assert await update(house, run_id) == {"a": {"b": 1}}
    worker.finish(run_id)
    await house.settle()
    assert await update(house, run_id, op("increment", "$.a.b", 1)) == {"a": {"b": 2}}


@pytest.mark.parametrize("delay_ms", [None, 1000])
async def test_what_is_put_beside_a_run_before_it_starts_is_told_with_its_order(
    house: House, delay_ms: int | None
) -> None:
    worker = house.worker(slots=0)
    run_id = await house.trigger(delay_ms=delay_ms, priority_ms=7, tags=("a",))
    tagged = await house.trigger(delay_ms=delay_ms)
    await update(house, run_id, op("set", "a", 1))
    await asyncio.gather(
        update(house, run_id, op("set", "b", 2)),
        house.ask(calls.AddTags(run_id, ("b",))),
        house.ask(calls.AddTags(tagged, ("c",))),
    )
    await house.crash()
    worker.slots = 2
    worker.connect()
    await house.advance(delay_ms or 0)
    order = worker.runs[run_id]
    assert json.loads(order.metadata or "") == {"a": 1, "b": 2}
    assert (order.tags, order.priority_ms) == (("a", "b"), 7)
    assert (worker.runs[tagged].tags, worker.runs[tagged].metadata) == (("c",), None)


async def test_people_change_all_or_nothing(house: House) -> None:
    worker = house.worker()
    parent = await started(house, worker)
    run_id = await started(house, worker, parent=parent)
    with pytest.raises(InvalidOptions, match="is text, not a number"):
        await update(
            house,
            run_id,
            op("set", "a", 1),
            op("set", "b", "x", "parent"),
            op("increment", "b", 1, "parent"),
        )
    with pytest.raises(PayloadTooLarge):
        await update(house, run_id, op("set", "a", 1), op("set", "b", "x" * METADATA_LIMIT))
    assert await metadata(house, run_id) is None
    assert await metadata(house, parent) is None


async def test_people_and_the_run_do_not_lose_each_others_changes(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    tasks = []
    for _ in range(10):
        change(worker, run_id, op("increment", "n", 1))
        tasks.append(asyncio.create_task(update(house, run_id, op("increment", "n", 1))))
    await asyncio.gather(*tasks)
    assert await metadata(house, run_id) == {"n": 20}


@pytest.mark.parametrize("end", ["kept", "lost", "refused"])
async def test_a_doubtful_change_by_people_counts_once(house: House, end: str) -> None:
    worker = house.worker()
    parent = await started(house, worker)
    run_id = await started(house, worker, parent=parent)
    house.faults.next.append(end)
    ops = [op("increment", "n", 1), op("increment", "m", 1, "parent")]
    assert await update(house, run_id, *ops) == {"n": 1}
    assert await metadata(house, parent) == {"m": 1}


async def test_a_repeat_with_the_same_key_changes_nothing(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    request = calls.UpdateMetadata(run_id, [op("increment", "n", 1)], "once")
    await asyncio.gather(*(house.ask(request) for _ in range(3)))
    await house.ask(request)
    assert await metadata(house, run_id) == {"n": 1}
    assert await update(house, run_id, op("increment", "n", 1)) == {"n": 2}


@pytest.mark.parametrize(
    "bad, said",
    [
        (Op("explode", "a", "1"), "explode"),
        (Op("set", "a"), "needs a value"),
        (Op("set", "a", "{"), "not valid JSON"),
        (Op("set", "a", "1", "cousin"), "cousin"),
        (Op("set", "$..a", "1"), "cannot be read"),
    ],
)
async def test_a_bad_change_is_refused_before_anything_is_asked(
    house: House, bad: Op, said: str
) -> None:
    with pytest.raises(InvalidOptions, match=said):
        await update(house, "run_x", bad)
    with pytest.raises(InvalidOptions, match="at most 1,000"):
        await update(house, "run_x", *[op("set", "a", 1)] * 1001)


async def test_the_metadata_of_an_unknown_run_is_not_found(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    other = await house.engine.environment("prod")
    with pytest.raises(NotFound):
        await house.engine.answer(other, calls.UpdateMetadata(run_id, [op("set", "a", 1)]))
    with pytest.raises(NotFound):
        await update(house, "run_x", op("set", "a", 1))
