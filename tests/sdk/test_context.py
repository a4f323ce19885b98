"""What running code knows of its run, and being told to end."""

import asyncio
import contextvars
import threading
from datetime import UTC, datetime

import pytest

from mainspring import Context, current
from mainspring.errors import Misplaced
from mainspring.sdk.context import Cancellation, running
from tests.sdk.conftest import order


def test_a_context_shows_what_the_server_ordered() -> None:
    ctx = Context(
        order(
            concurrency_key="k",
            max_attempts=5,
            created_at=7,
            tags=("a",),
            metadata='{"m":1}',
            idempotency_key="i",
            parent_id="run_p",
            root_id="run_r",
            depth=2,
            is_test=True,
            version="v",
            payload='{"n":1}',
        ),
        "prod",
    )
    assert (ctx.run_id, ctx.task, ctx.queue, ctx.environment) == ("run_a", "t", "q", "prod")
    assert (ctx.attempt, ctx.max_attempts, ctx.epoch) == (2, 5, 3)
    assert (ctx.concurrency_key, ctx.tags, ctx.metadata) == ("k", ("a",), {"m": 1})
    assert (ctx.idempotency_key, ctx.version, ctx.created_at) == ("i", "v", 7)
    assert (ctx.parent_id, ctx.root_id, ctx.depth, ctx.is_test) == ("run_p", "run_r", 2, True)
    assert ctx.payload == {"n": 1}
    assert Context(order(), payload=lambda text: [text]).payload == ["{}"]
    assert repr(ctx) == "<Context run_a of t, attempt 2>"


def test_without_a_max_duration_there_is_no_deadline() -> None:
    ctx = Context(order())
    assert (ctx.deadline, ctx.remaining(), ctx.metadata) == (None, None, None)


def test_time_used_by_earlier_attempts_is_gone() -> None:
    before = datetime.now(UTC).timestamp()
    ctx = Context(order(max_duration_ms=60_000, active_ms=50_000))
    left = ctx.remaining()
    assert left is not None
    assert 0 < left <= 10
    assert ctx.deadline is not None
    assert before + 9.9 <= ctx.deadline.timestamp() <= datetime.now(UTC).timestamp() + 10
    assert Context(order(max_duration_ms=1_000, active_ms=2_000)).remaining() == 0


def test_outside_a_run_there_is_no_current_context() -> None:
    with pytest.raises(Misplaced, match="No run is being executed here"):
        current()


def test_the_current_context_is_found_below_the_body_also_in_its_threads(
    in_run: Context,
) -> None:
    assert current() is in_run
    found: list[Context] = []
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(lambda: found.append(current()),)
    )
    thread.start()
    thread.join()
    assert found == [in_run]
    assert running.get() is in_run


async def test_a_cancellation_wakes_coroutines_and_threads() -> None:
    canceled = Cancellation()
    loop = asyncio.get_running_loop()
    waiting = asyncio.create_task(canceled.wait())
    blocked = loop.run_in_executor(None, canceled.wait_blocking)
    elsewhere = loop.run_in_executor(None, lambda: asyncio.run(canceled.wait()))
    await asyncio.sleep(0)
    assert not canceled.is_set()
    assert canceled.wait_blocking(timeout=0) is False
    threading.Thread(target=canceled.set).start()
    await waiting
    assert await blocked is True
    await elsewhere
    canceled.set()
    assert canceled.is_set()
    await canceled.wait()
    assert canceled.wait_blocking() is True


async def test_a_wait_that_is_given_up_leaves_nothing_behind() -> None:
    canceled = Cancellation()
    waiting = asyncio.create_task(canceled.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert canceled._wake == []
