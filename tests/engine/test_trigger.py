"""Triggers: what is made, what is refused, and that a refused call leaves nothing behind."""

import asyncio

import pytest

from mainspring.errors import (
    Conflict,
    InvalidOptions,
    InvalidPayload,
    MainspringError,
    NotFound,
    PayloadTooLarge,
    UnknownTask,
)
from mainspring.model.run import INLINE_LIMIT, PAYLOAD_LIMIT, Debounce, TriggerRequest
from mainspring.model.task import TaskSpec, default_queue
from mainspring.wire import calls
from mainspring.wire.worker import Execute
from tests.engine.house import WORK, House, request

TYPED = TaskSpec(
    "typed",
    default_queue("typed"),
    payload_schema={
        "type": "object",
        "properties": {"id": {"type": "integer"}, "email": {"type": "string"}},
        "required": ["id"],
    },
)


async def test_a_triggered_run_is_queued_until_a_worker_comes(house: House) -> None:
    house.worker().drop()
    run_id = await house.trigger({"n": 1})
    run = await house.run(run_id)
    assert (run.status, run.task, run.queue) == ("queued", "work", "task/work")
    assert run.payload == '{"n":1}'
    assert run.created_at == house.clock.now()


async def test_a_run_starts_at_once_where_a_slot_is_free(house: House) -> None:
    worker = house.worker()
    commits = house.owner.commits
    run_id = await house.trigger({"n": 1}, tags=("a",), metadata='{"k":1}', priority_ms=5)
    assert house.owner.commits == commits + 1
    order = worker.runs[run_id]
    assert (order.epoch, order.attempt, order.task, order.payload) == (1, 1, "work", '{"n":1}')
    assert (order.tags, order.metadata, order.priority_ms) == (("a",), '{"k":1}', 5)
    assert await house.status(run_id) == "dequeued"
    worker.begin(run_id)
    assert await house.status(run_id) == "executing"


async def test_a_completed_run_keeps_its_output(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    house.clock.advance(70)
    worker.finish(run_id, {"answer": 42}, active_ms=65)
    await house.settle()
    run = await house.run(run_id)
    assert (run.status, run.output, run.attempt) == ("completed", '{"answer":42}', 1)
    assert (run.active_ms, run.finished_at) == (65, house.clock.now())
    assert await house.differences() == []


async def test_a_queued_run_gets_the_order_that_a_direct_one_gets(house: House) -> None:
    worker = house.worker(slots=1)
    options = {
        "tags": ("a", "b"),
        "metadata": '{"k":1}',
        "priority_ms": 50,
        "max_attempts": 7,
        "max_duration_ms": 1000,
        "idempotency_key": "k" * 64,
        "idempotency_shown": "order-1",
        "concurrency_key": "u1",
        "is_test": True,
    }
    first = await house.trigger({"n": 1}, **options)
    second = await house.trigger({"n": 1}, **{**options, "idempotency_key": "l" * 64})
    direct = worker.runs[first]
    worker.finish(first)
    await house.settle()
    queued = worker.runs[second]
    for name in Execute.__struct_fields__:
        if name not in ("run_id", "idempotency_key"):
            assert getattr(direct, name) == getattr(queued, name), name


async def test_a_batch_of_a_thousand_is_one_commit(house: House) -> None:
    house.worker(slots=0)
    commits = house.owner.commits
    answers = await house.batch([request(n) for n in range(1000)])
    assert len({answer.run_id for answer in answers}) == 1000
    assert house.owner.commits == commits + 1
    assert await house.counts() == {"queued": 1000}
    payloads = {(await house.run(answers[n].run_id)).payload for n in (0, 1, 999)}
    assert payloads == {"0", "1", "999"}


async def test_runs_start_in_the_order_of_their_triggers(house: House) -> None:
    worker = house.worker(slots=0)
    ids = [answer.run_id for answer in await house.batch([request(n) for n in range(300)])]
    ids += [await house.trigger(n) for n in range(5)]
    assert ids == sorted(ids)
    seen: list[str] = []
    worker.slots = 20
    worker.drop()
    worker.connect()
    while len(seen) < len(ids):
        await house.settle()
        seen += list(worker.runs)
        for run_id in list(worker.runs):
            worker.finish(run_id)
    assert seen == ids


async def test_an_empty_batch_is_answered_with_nothing(house: House) -> None:
    assert await house.batch([]) == []


async def test_a_batch_over_a_thousand_is_refused(house: House) -> None:
    house.worker()
    with pytest.raises(InvalidOptions, match="1,001"):
        await house.batch([request(n) for n in range(1001)])
    assert await house.counts() == {}


async def test_one_bad_item_stores_nothing_of_its_batch(house: House) -> None:
    house.worker(WORK, TYPED)
    with pytest.raises(UnknownTask):
        await house.batch([*[request(n) for n in range(99)], request(task="nope")])
    with pytest.raises(InvalidPayload):
        await house.batch([request(), request({"email": "x"}, "typed")])
    assert await house.counts() == {}


async def test_an_unknown_task_is_refused_with_near_names(house: House) -> None:
    house.worker(TaskSpec("send_mail", "mail"), TaskSpec("resize", "images"))
    with pytest.raises(UnknownTask, match="Did you mean 'send_mail'") as caught:
        await house.trigger(task="sendmail")
    assert caught.value.details == ["send_mail"]
    with pytest.raises(UnknownTask, match="Registered: resize, send_mail"):
        await house.trigger(task="zzz")


async def test_without_any_worker_the_refusal_says_so(house: House) -> None:
    with pytest.raises(UnknownTask, match="No worker has registered any task"):
        await house.trigger()


async def test_every_bad_field_of_a_payload_is_named(house: House) -> None:
    house.worker(TYPED)
    with pytest.raises(InvalidPayload, match="typed") as caught:
        await house.trigger({"id": "one", "email": 3}, task="typed")
    assert {problem["path"] for problem in caught.value.details} == {"id", "email"}


async def test_a_payload_checked_by_the_caller_is_taken_as_it_is(house: House) -> None:
    house.worker(TYPED)
    run_id = await house.trigger({"id": "one"}, task="typed", checked=True)
    assert (await house.run(run_id)).payload == '{"id":"one"}'


@pytest.mark.parametrize(
    "raw, error",
    [
        ("{", InvalidPayload),
        ("", InvalidPayload),
        ("nan", InvalidPayload),
        ('"a\\u0000b"', InvalidPayload),
        ('"\\ud800"', InvalidPayload),
        ('"\ud800"', InvalidPayload),
        ("[" * 100_000, InvalidPayload),
        ('"' + "x" * PAYLOAD_LIMIT + '"', PayloadTooLarge),
        ('"' + "ä" * (PAYLOAD_LIMIT // 2) + '"', PayloadTooLarge),
    ],
    ids=["cut", "empty", "nan", "nul", "escaped", "surrogate", "deep", "large", "wide"],
)
async def test_a_payload_that_cannot_be_stored_is_refused(
    house: House, raw: str, error: type[MainspringError]
) -> None:
    house.worker()
    bad = request()
    bad.payload = raw
    with pytest.raises(error):
        await house.batch([bad])
    assert await house.counts() == {}


@pytest.mark.parametrize(
    "options, named",
    [
        ({"tags": tuple(f"t{n}" for n in range(11))}, "11 tags"),
        ({"tags": ("x" * 129,)}, "tag"),
        ({"tags": ("",)}, "tag"),
        ({"tags": ("a\0",)}, "tag"),
        ({"queue": ""}, "queue"),
        ({"queue": "q" * 129}, "queue"),
        ({"concurrency_key": "\ud800"}, "concurrency_key"),
        ({"concurrency_key": "x" * 513}, "concurrency_key"),
        ({"idempotency_key": "x" * 2049}, "idempotency_key"),
        ({"version": "\0"}, "version"),
        ({"metadata": "{"}, "metadata"),
        ({"metadata": '"' + "x" * 262_144 + '"'}, "metadata"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 251}, "max_attempts"),
        ({"max_duration_ms": 0}, "max_duration"),
        ({"ttl_ms": -1}, "ttl"),
        ({"delay_ms": -1}, "delay"),
        ({"delay_ms": 1 << 60}, "delay"),
        ({"delay_until": 1 << 60}, "delay"),
        ({"idempotency_key": "k", "idempotency_ttl_ms": 0}, "idempotency_ttl"),
        ({"priority_ms": 1 << 60}, "priority"),
        ({"debounce": Debounce("", 5)}, "debounce"),
        ({"debounce": Debounce("k", 5, "middle")}, "debounce"),
        ({"debounce": Debounce("k", -5)}, "debounce"),
        ({"debounce": Debounce("k", 1 << 60)}, "debounce"),
        ({"debounce": Debounce("k", 5, "leading", -1)}, "debounce"),
        ({"request_key": "r" * 2049}, "request_key"),
        ({"request_key": "r\0"}, "request_key"),
        ({"run_id": "run_x"}, "run_id"),
        ({"batch_id": "b\0"}, "batch_id"),
        ({"idempotency_shown": "s\0"}, "idempotency_shown"),
    ],
    ids=range(31),
)
async def test_a_bad_option_is_refused_by_name(
    house: House, options: dict[str, object], named: str
) -> None:
    house.worker()
    with pytest.raises(InvalidOptions, match=named):
        await house.trigger(1, **options)
    assert await house.counts() == {}


async def test_a_payload_above_64_kib_reaches_the_worker_through_the_object_store(
    house: House,
) -> None:
    worker = house.worker()
    large = "x" * INLINE_LIMIT
    run_id = await house.trigger(large)
    await house.settle()
    assert worker.runs[run_id].payload == f'"{large}"'
    run = await house.run(run_id)
    assert run.payload == f'"{large}"'
    assert run.payload_ref is not None


async def test_a_large_payload_comes_with_its_metadata_and_tags(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger("x" * INLINE_LIMIT, metadata='{"k":1}', tags=("a",))
    await house.settle()
    assert (worker.runs[run_id].metadata, worker.runs[run_id].tags) == ('{"k":1}', ("a",))


async def test_a_payload_at_its_limit_is_taken(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger("x" * (PAYLOAD_LIMIT - 2))
    await house.settle()
    assert len(worker.runs[run_id].payload) == PAYLOAD_LIMIT


async def test_a_child_belongs_to_its_parent_and_to_the_root_of_all(house: House) -> None:
    worker = house.worker()
    root = await house.trigger()
    child = await house.trigger(parent=root)
    grandchild = await house.trigger(parent=child)
    run = await house.run(grandchild)
    assert (run.parent_id, run.root_id, run.depth) == (child, root, 2)
    order = worker.runs[grandchild]
    assert (order.parent_id, order.root_id, order.depth) == (child, root, 2)


async def test_a_run_whose_cancel_is_acknowledged_takes_no_new_children(house: House) -> None:
    worker = house.worker()
    parent = await house.trigger()
    worker.begin(parent)
    await house.cancel(parent)
    with pytest.raises(Conflict, match="being canceled"):
        await house.trigger(parent=parent)


async def test_a_replay_is_a_new_run_with_the_old_ones_payload_and_options(house: House) -> None:
    worker = house.worker()
    options = {
        "tags": ("a",),
        "metadata": '{"k":1}',
        "priority_ms": 7,
        "max_attempts": 2,
        "concurrency_key": "u1",
        "idempotency_key": "k" * 64,
    }
    old = await house.trigger({"n": 1}, **options)
    worker.finish(old)
    await house.settle()
    answer = await house.ask(calls.ReplayRun(old))
    assert answer.run_id != old
    assert not answer.cached
    again = await house.run(answer.run_id)
    assert (again.payload, again.tags, again.metadata) == ('{"n":1}', ("a",), '{"k":1}')
    assert (again.priority_ms, again.max_attempts, again.concurrency_key) == (7, 2, "u1")
    assert (again.replay_of, again.idempotency_key) == (old, None)
    other = await house.ask(calls.ReplayRun(old, '{"n":2}'))
    assert (await house.run(other.run_id)).payload == '{"n":2}'


async def test_a_run_of_another_environment_is_not_found(house: House) -> None:
    house.worker()
    run_id = await house.trigger()
    other = await house.engine.environment("prod")
    for asked in (
        calls.Retrieve(run_id),
        calls.CancelRun(run_id),
        calls.ReplayRun(run_id),
        calls.AddTags(run_id, ("x",)),
        calls.ExplainRun(run_id),
        calls.ListLogs(run_id),
        calls.AwaitRun(run_id, 0),
    ):
        with pytest.raises(NotFound):
            await house.engine.answer(other, asked)


async def test_many_callers_at_once_share_few_commits(house: House) -> None:
    house.worker(slots=0)
    commits = house.owner.commits
    ids = await asyncio.gather(*(house.trigger(n) for n in range(500)))
    assert len(set(ids)) == 500
    assert house.owner.commits - commits < 20
    assert await house.differences() == []


async def test_a_number_that_no_program_can_hold_is_an_invalid_payload(house: House) -> None:
    house.worker(TaskSpec("sized", default_queue("sized"), concurrency_key="{payload.size}"))
    oversized = calls.Trigger([TriggerRequest("sized", '{"size": 1e400}')])
    with pytest.raises(InvalidPayload, match="out of range"):
        await house.engine.answer(house.env, oversized)
