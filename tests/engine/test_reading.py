"""What readers see: runs, lists, cursors; and triggers that came through the inbox."""

import msgspec
import pytest

from mainspring.errors import InvalidOptions
from mainspring.ids import IdSource
from mainspring.model.run import INLINE_LIMIT, Status, TriggerOptions
from mainspring.model.task import TaskSpec, default_queue
from mainspring.store.protocol import InboxRow
from mainspring.wire import calls
from tests.engine.house import House, request


async def test_every_status_is_told_by_its_word(house: House) -> None:
    worker = house.worker(inside=True)
    ids = {}
    ids["delayed"] = await house.trigger(delay_ms=600_000)
    ids["dequeued"] = await house.trigger()
    ids["executing"] = await house.trigger()
    worker.begin(ids["executing"])
    for status, outcome in (
        ("completed", "completed"),
        ("failed", "aborted"),
        ("timed_out", "timed_out"),
        ("canceled", "canceled"),
    ):
        ids[status] = await house.trigger()
        worker.finish(ids[status], outcome=outcome)
    ids["crashed"] = await house.trigger(max_attempts=1)
    worker.finish(ids["crashed"], outcome="crashed")
    await house.settle()
    worker.slots = 0
    worker.connect()
    ids["queued"] = await house.trigger()
    ids["expired"] = await house.trigger(ttl_ms=1)
    await house.advance(1)
    assert {status: await house.status(run_id) for status, run_id in ids.items()} == {
        status: status for status in ids
    }
    for status, run_id in ids.items():
        found = await house.page(status=(Status(status),))
        assert [run.id for run in found.runs] == [run_id], status
    both = await house.page(status=(Status.DELAYED, Status.FAILED))
    assert {run.id for run in both.runs} == {ids["delayed"], ids["failed"]}


async def test_a_list_is_newest_first_and_walks_both_ways(house: House) -> None:
    house.worker(slots=0)
    ids = [answer.run_id for answer in await house.batch([request(n) for n in range(25)])]
    ids.reverse()
    pages, after = [], None
    while True:
        page = await house.page(limit=10, after=after)
        pages.append([run.id for run in page.runs])
        if page.next is None:
            break
        after = page.next
    assert pages == [ids[:10], ids[10:20], ids[20:]]
    back = await house.page(limit=10, before=page.previous)
    assert [run.id for run in back.runs] == ids[10:20]
    assert back.next == ids[19]
    front = await house.page(limit=10, before=back.previous)
    assert [run.id for run in front.runs] == ids[:10]
    assert front.previous is None


async def test_a_cursor_stays_right_while_runs_come_and_end(house: House) -> None:
    worker = house.worker(slots=100)
    ids = [answer.run_id for answer in await house.batch([request(n) for n in range(20)])]
    await house.settle()
    first = await house.page(limit=10)
    for run_id in ids[::2]:
        worker.finish(run_id)
    await house.batch([request(n) for n in range(5)])
    await house.settle()
    second = await house.page(limit=10, after=first.next)
    assert [run.id for run in (*first.runs, *second.runs)] == ids[::-1]


async def test_a_list_filters_by_everything_at_once(house: House) -> None:
    worker = house.worker(TaskSpec("a", "qa"), TaskSpec("b", "qb"), version="v1")
    made = {}
    made["a"] = await house.trigger(task="a", tags=("x", "y"))
    made["b"] = await house.trigger(task="b", tags=("y",), is_test=True)
    made["q"] = await house.trigger(task="a", queue="other", batch_id="batch_1")
    await house.advance(1000)
    made["late"] = await house.trigger(task="b", version="v1")
    worker.finish(made["a"])
    await house.settle()

    async def found(**wanted: object) -> set[str]:
        ids = {run.id for run in (await house.page(**wanted)).runs}
        return {name for name, run_id in made.items() if run_id in ids}

    assert await found() == set(made)
    assert await found(task=("a",)) == {"a", "q"}
    assert await found(task=("a", "b")) == set(made)
    assert await found(tag=("x",)) == {"a"}
    assert await found(tag=("x", "y")) == {"a", "b"}
    assert await found(tag=("y",), task=("b",)) == {"b"}
    assert await found(queue=("other",)) == {"q"}
    assert await found(batch_id="batch_1") == {"q"}
    assert await found(is_test=True) == {"b"}
    assert await found(is_test=False) == {"a", "q", "late"}
    assert await found(version=("v1",)) == {"late"}
    assert await found(created_from=house.clock.now()) == {"late"}
    assert await found(created_to=house.clock.now() - 1) == {"a", "b", "q"}
    assert await found(status=(Status.COMPLETED,)) == {"a"}
    assert await found(status=(Status.COMPLETED,), tag=("y",), task=("a",)) == {"a"}
    assert await found(status=(Status.COMPLETED,), task=("b",)) == set()
    assert await found(task=("nope",)) == set()


async def test_pages_are_bounded(house: House) -> None:
    house.worker(slots=0)
    await house.batch([request(n) for n in range(150)])
    assert len((await house.page(limit=100_000)).runs) == 100
    assert len((await house.page(limit=-5)).runs) == 1


async def test_tags_are_added_up_to_ten(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger(tags=("a",))
    run = await house.ask(calls.AddTags(run_id, ("b", "a", "c")))
    assert sorted(run.tags) == ["a", "b", "c"]
    with pytest.raises(InvalidOptions, match="at most 10"):
        await house.ask(calls.AddTags(run_id, tuple(f"t{n}" for n in range(8))))
    assert [run.id for run in (await house.page(tag=("c",))).runs] == [run_id]


def row(house: House, number: int, **fields: object) -> InboxRow:
    """What a caller wrote in its own transaction."""
    ids = IdSource(house.engine._bits)
    now = house.clock.now()
    options = fields.pop("options", TriggerOptions())
    values = {
        "inbox_id": f"inbox_{number:04}",
        "env_id": house.env.env_id,
        "run_id": ids.new("run", now, house.env.shard_id),
        "task": "work",
        "payload": "1",
        "options": msgspec.json.encode(options).decode(),
        "created_at": now,
        **fields,
    }
    return InboxRow(**values)


async def test_a_trigger_in_the_inbox_becomes_the_run_it_named(house: House) -> None:
    worker = house.worker()
    waiting = row(house, 1, payload='{"n":1}', options=TriggerOptions(tags=("a",)))
    await house.store.runs.trigger_later(house.env.shard_id, waiting)
    await house.advance(250)
    assert list(worker.runs) == [waiting.run_id]
    run = await house.run(waiting.run_id)
    assert (run.payload, run.tags) == ('{"n":1}', ("a",))
    assert await house.store.live.inbox(house.env.shard_id, 10) == []


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_an_inbox_row_becomes_one_run_whatever_happens_to_the_commit(
    house: House, end: str
) -> None:
    house.worker(slots=0)
    for number in range(20):
        await house.store.runs.trigger_later(house.env.shard_id, row(house, number))
    house.faults.next.append(end)
    await house.advance(250)
    await house.crash()
    await house.advance(250)
    assert await house.counts() == {"queued": 20}
    assert await house.store.live.inbox(house.env.shard_id, 10) == []


async def test_an_inbox_row_is_delayed_debounced_and_keyed_like_any_trigger(house: House) -> None:
    worker = house.worker()
    options = TriggerOptions(idempotency_key="k", delay_ms=1000)
    for number in range(3):
        await house.store.runs.trigger_later(
            house.env.shard_id, row(house, number, options=options)
        )
    await house.advance(250)
    assert await house.counts() == {"delayed": 1}
    await house.advance(1000)
    assert len(worker.runs) == 1


async def test_an_inbox_row_for_an_unknown_task_waits_for_a_worker_that_has_it(
    house: House,
) -> None:
    house.worker()
    waiting = row(house, 1, task="later")
    await house.store.runs.trigger_later(house.env.shard_id, waiting)
    await house.advance(250)
    assert await house.status(waiting.run_id) == "pending_version"
    assert await house.gate(waiting.run_id) == "pending_version"
    worker = house.worker(TaskSpec("later", default_queue("later")))
    await house.advance(5000)
    assert waiting.run_id in worker.runs


async def test_inbox_rows_that_make_no_sense_do_not_hold_the_others_up(house: House) -> None:
    worker = house.worker()
    bad = [
        row(house, 1, payload="{"),
        row(house, 2, options=TriggerOptions(max_attempts=0, tags=("x" * 500,))),
        row(house, 3, options=TriggerOptions(delay_ms=1 << 61)),
        msgspec.structs.replace(row(house, 4), options="rubbish"),
    ]
    good = [row(house, 5), row(house, 6, payload='"' + "x" * INLINE_LIMIT + '"')]
    for waiting in (*bad, *good):
        await house.store.runs.trigger_later(house.env.shard_id, waiting)
    await house.advance(250)
    assert {waiting.run_id for waiting in good} <= set(worker.runs)
    assert {waiting.run_id for waiting in bad} <= set(worker.runs)
    assert await house.store.live.inbox(house.env.shard_id, 10) == []
