"""Time, chance, checkpoints and fresh journals: the same whenever the code is replayed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from mainspring import (
    InvalidPayload,
    Misplaced,
    checkpoint,
    continue_with,
    now,
    parallel,
    random,
    step,
    task,
    uuid,
)
from mainspring.errors import InvalidOutput
from mainspring.sdk.context import Context
from mainspring.sdk.signals import Continued
from mainspring.wire.worker import Entry
from tests.sdk.durable import Run, ran


async def test_time_is_what_it_was_at_the_first_call() -> None:
    async def body() -> Any:
        first = now()
        run.clock.advance(1500)
        return first, now()

    run = Run(body)
    first, second = await run.task
    assert (second - first).total_seconds() == 1.5
    assert first.tzinfo is UTC
    entries = run.port.entries
    run = Run(body, entries)
    run.clock.advance(1_000_000)
    assert await run.task == (first, second)


async def test_chance_is_the_same_in_a_replay_and_differs_between_calls_and_runs() -> None:
    async def draw() -> Any:
        return random().random(), uuid()

    async def body() -> Any:
        return [await draw(), await draw(), *await parallel(draw(), draw())]

    first, entries = await ran(body)
    again, after = await ran(body, entries)
    assert first == again
    assert entries == after
    assert [e.key for e in entries] == ["!seed"]
    assert len({number for number, _ in first}) == len({made for _, made in first}) == 4
    assert all(isinstance(made, UUID) and made.version == 4 for _, made in first)
    other, _ = await ran(body, run_id="run_b")
    fresh, _ = await ran(body, generation=1)
    assert other != first != fresh


async def test_a_copy_of_the_journal_keeps_its_chance() -> None:
    async def body() -> Any:
        return uuid()

    first, entries = await ran(body)
    assert (await ran(body, entries, run_id="run_copy"))[0] == first


async def test_outside_a_run_only_local_calls_know_time_and_chance() -> None:
    @task
    async def work() -> bool:
        await checkpoint("a", 1)
        assert checkpoint.last("a", 5) == 5
        assert 0 <= random().random() < 1
        return abs((now() - datetime.now(UTC)).total_seconds()) < 60 and uuid() != uuid()

    assert await work.local()
    for verb in (now, random, uuid):
        with pytest.raises(Misplaced):
            verb()


async def test_checkpoints_are_kept_and_give_their_first_value() -> None:
    def body(value: Any) -> Any:
        async def all_() -> Any:
            return [await checkpoint("rows", value), await checkpoint("rows", [value])]

        return all_

    first, entries = await ran(body((1, 2)))
    assert first == [[1, 2], [[1, 2]]]
    assert [(e.key, e.kind, e.data) for e in entries] == [
        ("checkpoint:rows", "checkpoint", "[1,2]"),
        ("checkpoint:rows#1", "checkpoint", "[[1,2]]"),
    ]
    assert (await ran(body(9), entries))[0] == first
    with pytest.raises(InvalidOutput, match="checkpoint:a holds what cannot be stored"):
        await ran(lambda: checkpoint("a", object()))


async def test_an_attempt_begins_where_the_one_before_has_stopped() -> None:
    done: list[int] = []

    async def body() -> None:
        for row in range(checkpoint.last("rows", 0), 6):
            done.append(row)
            await checkpoint("rows", row + 1, durability="relaxed")
            if row == 2 and len(done) == 3:
                raise OSError("power cut")

    run = Run(body, attempt=1)
    with pytest.raises(OSError, match="power cut"):
        await run.task
    _, entries = await ran(body, run.port.entries, attempt=2)
    assert done == [0, 1, 2, 3, 4, 5]
    assert [msgspec.json.decode(e.data or "") for e in entries] == [1, 2, 3, 4, 5, 6]


async def test_a_run_goes_on_with_another_payload() -> None:
    async def body() -> None:
        continue_with({"n": 2})

    with pytest.raises(Continued) as caught:
        await ran(body)
    assert caught.value.payload == '{"n":2}'


async def test_a_payload_that_the_task_cannot_take_is_refused() -> None:
    @task
    async def work(n: int) -> None: ...

    async def body(payload: Any) -> None:
        continue_with(payload)

    for wrong in ({"n": "x"}, object()):
        run = Run(lambda wrong=wrong: body(wrong))
        run.ctx._payload = work.payload
        with pytest.raises(InvalidPayload):
            await run.task
    with pytest.raises(Misplaced):
        continue_with(1)

    async def inside() -> None:
        continue_with(1)

    with pytest.raises(Misplaced):
        await ran(lambda: step("a", inside))


async def test_entries_of_the_engine_are_no_steps_of_the_code() -> None:
    async def body() -> str:
        return "done"

    run = Run(body, [Entry("!start", 0, "step", data='{"n":1}')], generation=1)
    assert not run.ctx.replaying
    assert await run.task == "done"
    assert run.journal.unread() == []


def test_a_context_without_a_worker_has_no_journal(in_run: Context) -> None:
    assert not in_run.replaying
    with pytest.raises(Misplaced, match="has no journal here"):
        now()
